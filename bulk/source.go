package bulk

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// A source is one argument that names what to work on.
type source struct {
	arg string
	Object
	wild    bool   // arg is a pattern with wildcards; Path is unused
	pattern string // set when wild
	dir     string // when wild: the directory above the first wildcard
	slash   bool   // arg ends in "/": what is in the directory, not itself
}

// resolve looks at how arg is spelled; it asks no store. raw takes wildcard
// characters as part of the name.
func resolve(ctx context.Context, mux *fsys.Mux, arg string, raw bool) (source, error) {
	s := source{arg: arg}
	if arg == "" {
		return s, fault.New("resolve", "", fault.Invalid, errors.New("the name is empty"))
	}
	if !raw {
		f, pattern, err := mux.ResolvePattern(ctx, arg)
		if err != nil {
			return s, err
		}
		if wild := wildcard(pattern); wild >= 0 {
			s.FS, s.wild, s.pattern = f, true, pattern
			s.dir = unquote(pattern[:max(strings.LastIndexByte(pattern[:wild], '/'), 0)])
			return s, nil
		}
		s.FS, s.Path = f, unquote(pattern)
	} else {
		f, path, err := mux.Resolve(ctx, arg)
		if err != nil {
			return s, err
		}
		s.FS, s.Path = f, path
	}
	s.slash = s.Path == "" || namesContents(s.FS, arg)
	s.Path = strings.TrimSuffix(s.Path, "/")
	return s, nil
}

// namesContents reports whether arg is spelled as a directory: with a "/" at
// the end, or as a local "." or "..".
func namesContents(f *fsys.FS, arg string) bool {
	if strings.HasSuffix(arg, "/") {
		return true
	}
	last := base(arg)
	if last != "." && last != ".." {
		return false
	}
	_, local := f.LocalPath("")
	return local
}

// wildcard returns the index of the first wildcard of pattern, or -1.
func wildcard(pattern string) int {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return i
		case '\\':
			if i+1 < len(pattern) && strings.IndexByte(`*?[]\`, pattern[i+1]) >= 0 {
				i++
			}
		}
	}
	return -1
}

// unquote returns the path that a pattern without wildcards stands for.
func unquote(pattern string) string {
	if strings.IndexByte(pattern, '\\') < 0 {
		return pattern
	}
	b := make([]byte, 0, len(pattern))
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) && strings.IndexByte(`*?[]\`, pattern[i+1]) >= 0 {
			i++
		}
		b = append(b, pattern[i])
	}
	return string(b)
}

// resolveAll resolves args and looks at every one that has no wildcard, many
// at a time. The error is that of the first argument that has one.
func resolveAll(ctx context.Context, mux *fsys.Mux, args []string, raw bool, jobs int) ([]source, error) {
	srcs := make([]source, len(args))
	for i, arg := range args {
		var err error
		if srcs[i], err = resolve(ctx, mux, arg, raw); err != nil {
			return nil, err
		}
	}
	errs := make([]error, len(args))
	err := task.Run(ctx, &task.Options{Name: "stat", Limit: jobs}, func(g *task.Group) error {
		for i := range srcs {
			if s := &srcs[i]; !s.wild {
				g.Go(s.arg, func(ctx context.Context) error {
					errs[i] = s.look(ctx)
					return nil
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, context.Cause(ctx)
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return srcs, nil
}

// look fills in the entry of a source without wildcards.
func (s *source) look(ctx context.Context) error {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return err
	}
	defer task.Requests().Release(1)
	e, err := s.FS.Stat(ctx, s.Path)
	if err != nil {
		return err
	}
	if s.slash && e.Kind == fsys.File {
		return fault.New("stat", s.URL(), fault.NotExist, errors.New(`is an object, not a directory: leave out the "/" at the end`))
	}
	s.Entry = e
	return nil
}

// isLink reports whether a local path is itself a symbolic link, so that
// removing the directory behind it would reach outside what was named.
func (r Ref) isLink() bool {
	name, ok := r.FS.LocalPath(r.Path)
	if !ok {
		return false
	}
	fi, err := os.Lstat(name)
	return err == nil && fi.Mode()&os.ModeSymlink != 0
}

// physical returns r with symbolic links of the local file system resolved
// as far as the path exists.
func (r Ref) physical() Ref {
	name, ok := r.FS.LocalPath(r.Path)
	if !ok {
		return r
	}
	rest := ""
	for dir := name; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			r.Path = strings.TrimPrefix(filepath.ToSlash(filepath.Join(real, rest)), "/")
			return r
		}
		if dir == filepath.Dir(dir) {
			return r
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// errNoMatch says that a pattern named nothing.
func errNoMatch(op string, s *source) error {
	return fault.New(op, s.arg, fault.NotExist, errors.New("nothing matches the pattern"))
}

// Expand yields the objects that args name, in the order of the arguments
// and of the matches. An argument without wildcards is yielded unseen, with
// a zero Entry, so that nothing waits for it; a pattern that matches nothing
// is an error of kind [fault.NotExist]. Arguments that cannot be right are an
// error before the first object. raw takes wildcard characters as part of
// the name. An error is the last pair.
func Expand(ctx context.Context, mux *fsys.Mux, args []string, raw bool) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		srcs := make([]source, len(args))
		for i, arg := range args {
			var err error
			if srcs[i], err = resolve(ctx, mux, arg, raw); err == nil && srcs[i].slash {
				err = fault.New("expand", arg, fault.IsDir, nil)
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
		}
		for i := range srcs {
			if !srcs[i].expand(ctx, yield) {
				return
			}
		}
	}
}

// expand yields the objects of one source; false ends the sequence.
func (s *source) expand(ctx context.Context, yield func(Object, error) bool) bool {
	if !s.wild {
		return yield(s.Object, nil)
	}
	n := 0
	for e, err := range s.FS.Glob(ctx, s.pattern, nil) {
		if err != nil {
			yield(Object{}, err)
			return false
		}
		n++
		if !yield(Object{Ref{s.FS, e.Path}, e}, nil) {
			return false
		}
	}
	if n == 0 {
		yield(Object{}, errNoMatch("expand", s))
		return false
	}
	return true
}
