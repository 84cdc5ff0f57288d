package fsys

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// GlobOptions tunes [FS.Glob]. A nil pointer is the default: objects only.
type GlobOptions struct {
	// Dirs makes directories match too. A pattern with a trailing "/"
	// matches directories alone, whatever Dirs says.
	Dirs bool
	// Others makes devices, sockets and dangling links match too.
	Others bool
}

// Glob yields what matches pattern, lazily and in byte order; the package
// documentation has the syntax. Whatever literal text the pattern begins
// with is left to the store to select by.
//
// A pattern without wildcards yields that object, or an error of kind
// [fault.NotExist], or [fault.IsDir] for a directory that was not asked for.
// With wildcards, no match is no error, except when the directory before the
// first of them is absent on a store with real directories, or the store
// itself is. Links to directories are followed where a component names them
// and not by "**".
func (f *FS) Glob(ctx context.Context, pattern string, opts *GlobOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		p, err := compile(pattern)
		if err != nil {
			yield(Entry{}, fault.New("glob", f.URL(pattern), fault.Invalid, errors.Unwrap(err)))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		w := &walk{ctx: ctx, fs: f, yield: yield, dirOnly: p.dirOnly}
		if opts != nil {
			w.opts = *opts
		}
		if _, near := f.drv.(driver.LocalPather); !near {
			w.ahead = &ahead{slots: make(chan struct{}, aheadMax)}
			defer w.ahead.wg.Wait()
		}
		defer cancel()
		w.run(p)
	}
}

// A walk is one Glob under way. Its methods return false when the loop must
// end: the consumer broke out, or an error was yielded.
type walk struct {
	ctx     context.Context
	fs      *FS
	opts    GlobOptions
	dirOnly bool
	yield   func(Entry, error) bool
	ahead   *ahead // nil: one directory after the other
}

func (w *walk) run(p *pattern) {
	n := p.fixed()
	if n == len(p.segs) {
		w.exact(p.literal(n))
		return
	}
	base := p.literal(n)
	_, local := w.fs.drv.(driver.LocalPather)
	switch {
	case n > 0 && base == "":
		// "/x": a directory with an empty name at the root cannot be listed
		// by its path, which is that of the root.
		w.flat("", "/"+p.segs[n].lit, p.segs, true)
	case p.deep && !local:
		// One recursive listing costs an object store less than a request
		// per directory.
		w.flat(base, p.segs[n].lit, p.segs[n:], true)
	default:
		w.descend(base, p.segs[n:], true)
	}
}

// exact handles a pattern without wildcards.
func (w *walk) exact(path string) {
	e, err := w.fs.drv.Stat(w.ctx, path)
	if err == nil && w.dirOnly && e.Kind != Dir {
		e, err = w.asDir(path)
	}
	if err == nil && e.Kind == Dir && !w.accept(e) {
		err = fault.New("glob", path, fault.IsDir, nil)
	}
	if err != nil {
		e = Entry{}
	}
	w.yield(e, w.fs.dress("glob", path, err))
}

// asDir describes path as a directory where an object store has an object
// of the same name.
func (w *walk) asDir(path string) (Entry, error) {
	for _, err := range w.fs.drv.List(w.ctx, path, ListOptions{}) {
		if err != nil {
			return Entry{}, err
		}
		return Entry{Path: path, Kind: Dir, Size: -1}, nil
	}
	return Entry{}, fault.New("glob", path, fault.NotExist, errors.New("not a directory"))
}

// accept reports whether the options want entries of e's kind.
func (w *walk) accept(e Entry) bool {
	switch e.Kind {
	case File:
		return !w.dirOnly
	case Dir:
		return w.dirOnly || w.opts.Dirs
	default:
		return !w.dirOnly && w.opts.Others
	}
}

// emit yields e if it is wanted.
func (w *walk) emit(e Entry) bool { return !w.accept(e) || w.yield(e, nil) }

// descend matches segs below dir, one directory at a time. top says that dir
// is the literal beginning of the pattern.
func (w *walk) descend(dir string, segs []segment, top bool) bool {
	for len(segs) > 0 && !segs[0].deep && segs[0].toks == nil {
		dir, segs = join(dir, segs[0].lit), segs[1:]
	}
	if len(segs) == 0 {
		e, err := w.fs.drv.Stat(w.ctx, dir)
		if err != nil {
			return w.failed(dir, err, false)
		}
		return w.emit(e)
	}
	if segs[0].deep {
		return w.flat(dir, "", segs, top)
	}
	q := queue{w: w}
	for e, err := range w.fs.drv.List(w.ctx, dir, ListOptions{Prefix: segs[0].lit}) {
		if err != nil {
			return q.drain() && w.failed(dir, err, top)
		}
		name := below(dir, e.Path)
		if !segs[0].match(name) || strings.Contains(name, "/") {
			continue // the latter lies in a directory with an empty name
		}
		if len(segs) == 1 {
			if !w.emit(e) {
				return false
			}
		} else if e.Kind == Dir && !q.add(e.Path, segs[1:]) {
			return false
		}
	}
	return q.drain()
}

// flat matches segs against one recursive listing below dir.
func (w *walk) flat(dir, prefix string, segs []segment, top bool) bool {
	dirs := w.dirOnly || w.opts.Dirs
	prev := ""
	for e, err := range w.fs.drv.List(w.ctx, dir, ListOptions{Recursive: true, Prefix: prefix}) {
		if err != nil {
			return w.failed(dir, err, top)
		}
		if dirs {
			if !w.parents(dir, prev, e, segs) {
				return false
			}
			prev = sortKey(e)
		}
		if w.accept(e) && matchSegments(segs, below(dir, e.Path), false) && !w.yield(e, nil) {
			return false
		}
	}
	return true
}

// parents emits the directories between dir and e that the listing has not
// come by yet: a recursive listing of an object store yields objects only.
// prev is the sort key of the entry before.
func (w *walk) parents(dir, prev string, e Entry, segs []segment) bool {
	for i := len(e.Path) - len(below(dir, e.Path)); i < len(e.Path); i++ {
		if e.Path[i] != '/' || strings.HasPrefix(prev, e.Path[:i+1]) {
			continue
		}
		d := Entry{Path: e.Path[:i], Kind: Dir, Size: -1}
		if matchSegments(segs, below(dir, d.Path), false) && !w.yield(d, nil) {
			return false
		}
	}
	return true
}

// failed handles the error of listing or describing path. Absent is no
// error but at the top, where it says that the pattern begins with a
// directory or store that is not there; a store without real directories
// has then to be asked which.
func (w *walk) failed(path string, err error, top bool) bool {
	if fault.KindOf(err) == fault.NotExist {
		if !top {
			return true
		}
		if _, local := w.fs.drv.(driver.LocalPather); !local && path != "" {
			_, rootErr := w.fs.drv.Stat(w.ctx, "")
			if rootErr == nil {
				return true
			}
			path, err = "", rootErr
		}
	}
	w.yield(Entry{}, w.fs.dress("glob", path, err))
	return false
}

// canceled ends the walk when its context has ended: what was walked ahead
// may be incomplete then.
func (w *walk) canceled(path string) bool {
	w.yield(Entry{}, w.fs.dress("glob", path, fault.New("glob", path, fault.KindOf(w.ctx.Err()), context.Cause(w.ctx))))
	return false
}

// join appends a component to a directory.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// below returns what of path comes after dir and its "/".
func below(dir, path string) string {
	if dir == "" {
		return path
	}
	return path[min(len(dir)+1, len(path)):]
}

// sortKey returns what listings are ordered by.
func sortKey(e Entry) string {
	if e.Kind == Dir {
		return e.Path + "/"
	}
	return e.Path
}
