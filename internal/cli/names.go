package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// A target is one argument of a listing command, resolved: a place or a
// pattern, and how names below it are shown.
type target struct {
	arg     string
	fs      *fsys.FS
	path    string // without a trailing "/"; a pattern when wild
	wild    bool
	slash   bool   // the argument ends in "/"
	prefix  string // shown in place of strip
	strip   string
	byURL   bool // names are shown as URLs, whatever was typed
	literal string
}

// resolve looks at how arg is spelled.
func (a *App) resolve(ctx context.Context, arg string, raw bool) (*target, error) {
	if arg == "" {
		return nil, &usageError{msg: "a name is empty"}
	}
	t := &target{arg: arg, literal: arg, slash: strings.HasSuffix(arg, "/")}
	var err error
	if !raw {
		if t.fs, t.path, err = a.Mux.ResolvePattern(ctx, arg); err != nil {
			return nil, err
		}
		t.wild = fsys.HasMeta(t.path)
	}
	if !t.wild {
		if t.fs, t.path, err = a.Mux.Resolve(ctx, arg); err != nil {
			return nil, err
		}
		t.path = strings.TrimSuffix(t.path, "/")
	}
	t.spell()
	return t, nil
}

// spell decides how names below the target are shown: as the argument was
// typed, so that what is printed can be given to the next command.
func (t *target) spell() {
	scheme := fsys.Scheme(t.arg)
	switch {
	case scheme == "http" || scheme == "https":
		t.byURL = true // the query and the percent signs belong to it
	case scheme != "" && strings.Contains(t.arg, "::"):
		t.byURL = true // where in a chain the names go is not ours to know
	case t.wild && scheme == "" && !filepath.IsAbs(t.arg):
		if cwd, err := os.Getwd(); err == nil {
			t.strip = strings.TrimPrefix(filepath.ToSlash(cwd), "/") + "/"
		}
	case t.wild:
		t.byURL = true
	default:
		t.prefix = strings.TrimSuffix(t.arg, "/") + "/"
		if t.arg == "./" || t.arg == "." {
			t.prefix = ""
		}
		if t.path != "" {
			t.strip = t.path + "/"
		}
	}
}

// show returns the name of path as it is printed.
func (t *target) show(path string) string {
	switch {
	case t.byURL:
		return t.fs.URL(path)
	case path == t.path && !t.wild:
		return t.literal
	case strings.HasPrefix(path, t.strip):
		return t.prefix + path[len(t.strip):]
	}
	return t.fs.URL(path)
}

// below returns the name of path as seen from the directory t, or from the
// one where the wildcards of t begin.
func (t *target) below(path string) string {
	dir := t.path
	if t.wild {
		dir = dir[:strings.IndexAny(dir, `*?[\`)]
		dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)]
	}
	if path == dir && !t.wild {
		return path[strings.LastIndexByte(path, '/')+1:]
	}
	if dir == "" {
		return path
	}
	return strings.TrimPrefix(path, dir+"/")
}

// stat looks at a target that is no pattern.
func (t *target) stat(ctx context.Context) (fsys.Entry, error) {
	e, err := t.fs.Stat(ctx, t.path)
	if err == nil && t.slash && e.Kind == fsys.File {
		err = fault.New("stat", t.fs.URL(t.path)+"/", fault.NotExist, nil)
	}
	return e, err
}
