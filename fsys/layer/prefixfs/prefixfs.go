package prefixfs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

// Options tunes [New]. The zero value is the default.
type Options struct {
	// Dots allows the path components "." and "..". Set it for stores that
	// take names as bytes, like object stores; a web server would resolve
	// them and lead out of the prefix, hence the default.
	Dots bool
}

// New returns what lies below prefix in drv. It does not block. An empty
// prefix gives drv itself; one that ends in "/" is refused with
// [fault.Invalid]. Closing the result closes drv.
func New(drv driver.FS, prefix string, opts *Options) (driver.FS, error) {
	f := &layer{drv: drv, prefix: prefix, base: prefix + "/"}
	if opts != nil {
		f.opts = *opts
	}
	switch {
	case prefix == "":
		return drv, nil
	case strings.HasSuffix(prefix, "/"):
		return nil, fault.New("prefix", prefix, fault.Invalid, errors.New(`write the prefix without "/" at its end`))
	}
	if err := f.check("prefix", prefix); err != nil {
		return nil, err
	}
	var c driver.Copier
	if below, ok := drv.(driver.Copier); ok {
		c = copier{f, below}
	}
	var b driver.BatchRemover
	if below, ok := drv.(driver.BatchRemover); ok {
		b = batchRemover{f, below}
	}
	var l driver.LocalPather
	if below, ok := drv.(driver.LocalPather); ok {
		l = localPather{f, below}
	}
	return caps.With(f, c, b, l), nil
}

// layer implements driver.FS.
type layer struct {
	drv    driver.FS
	prefix string // no "/" at its end
	base   string // prefix and "/"
	opts   Options
}

// check refuses the paths that a server might resolve to others.
func (f *layer) check(op, path string) error {
	if f.opts.Dots || !strings.Contains(path, ".") {
		return nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return fault.New(op, path, fault.Invalid, fmt.Errorf("the component %q could lead out of the directory", part))
		}
	}
	return nil
}

// down returns the path below.
func (f *layer) down(path string) string {
	if path == "" {
		return f.prefix
	}
	return f.base + path
}

// up makes an entry of the store one of the layer.
func (f *layer) up(op string, e driver.Entry) (driver.Entry, error) {
	path, ok := strings.CutPrefix(e.Path, f.base)
	if !ok && e.Path != f.prefix {
		return driver.Entry{}, fault.New(op, e.Path, fault.Internal, fmt.Errorf("the store answered for a path outside of %q", f.prefix))
	}
	e.Path = path
	return e, nil
}

// failure makes an error of the store name the path of the layer.
func (f *layer) failure(path string, err error) error {
	e, ok := err.(*fault.Error)
	if !ok || !strings.HasPrefix(e.Path, f.prefix) {
		return err
	}
	c := *e
	if c.Path = path; e.Path != f.down(path) {
		c.Path = strings.TrimPrefix(e.Path, f.base) // of another path, or shortened
	}
	return &c
}

// storeExists tells an absent store from a prefix with nothing below it.
func (f *layer) storeExists(ctx context.Context) error {
	_, err := f.drv.Stat(ctx, "")
	return err
}

// Stat implements [driver.FS].
func (f *layer) Stat(ctx context.Context, path string) (driver.Entry, error) {
	if err := f.check("stat", path); err != nil {
		return driver.Entry{}, err
	}
	if path == "" {
		if err := f.storeExists(ctx); err != nil {
			return driver.Entry{}, err
		}
		return driver.Entry{Kind: driver.Dir, Size: -1}, nil
	}
	e, err := f.drv.Stat(ctx, f.down(path))
	if err != nil {
		return driver.Entry{}, f.failure(path, err)
	}
	return f.up("stat", e)
}

// List implements [driver.FS].
func (f *layer) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := f.check("list", dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		if opts.After != "" {
			opts.After = f.base + opts.After
		}
		f.list(ctx, dir, opts, yield)
	}
}

// list yields what is below dir and returns whether the consumer wants more.
func (f *layer) list(ctx context.Context, dir string, opts driver.ListOptions, yield func(driver.Entry, error) bool) bool {
	for e, err := range f.drv.List(ctx, f.down(dir), opts) {
		if fault.KindOf(err) == fault.NotExist && dir == "" {
			if err = f.storeExists(ctx); err == nil {
				return true // nothing is below the prefix
			}
		}
		if err == nil && e.Path == f.base && e.Kind == driver.Dir {
			// A directory without a name at the root: its path would be that
			// of the root, so show what is in it.
			below := opts
			below.Recursive, below.Prefix = true, max(opts.Prefix, "/")
			if !f.list(ctx, "", below, yield) {
				return false
			}
			continue
		}
		if err == nil {
			e, err = f.up("list", e)
		}
		if err != nil {
			yield(driver.Entry{}, f.failure(dir, err))
			return false
		}
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// Open implements [driver.FS].
func (f *layer) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if err := f.check("open", path); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, f.isRoot(ctx, "open")
	}
	r, err := f.drv.Open(ctx, f.down(path), opts)
	if err != nil {
		return nil, f.failure(path, err)
	}
	e, err := f.up("open", r.Entry())
	if err != nil {
		r.Close()
		return nil, err
	}
	return &reader{Reader: r, fs: f, entry: e, path: path}, nil
}

// isRoot says why the root cannot be opened or written.
func (f *layer) isRoot(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fault.New(op, "", fault.KindOf(err), context.Cause(ctx))
	}
	return fault.New(op, "", fault.IsDir, errors.New("the root is a directory"))
}

// Create implements [driver.FS].
func (f *layer) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if err := f.check("create", path); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, f.isRoot(ctx, "create")
	}
	w, err := f.drv.Create(ctx, f.down(path), opts)
	if err != nil {
		return nil, f.failure(path, err)
	}
	return &writer{Writer: w, fs: f, path: path}, nil
}

// Remove implements [driver.FS]. The root stays.
func (f *layer) Remove(ctx context.Context, path string) error {
	if err := f.check("remove", path); err != nil {
		return err
	}
	if path == "" {
		return fault.New("remove", path, fault.Invalid, errors.New("the root cannot be removed"))
	}
	return f.failure(path, f.drv.Remove(ctx, f.down(path)))
}

// Close implements [driver.FS].
func (f *layer) Close() error { return f.drv.Close() }
