package memfs

import (
	"context"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// Pages begin small, for those who look at the first entry only.
const (
	firstPage = 16
	lastPage  = 1024
)

// List implements [driver.FS]. It copies a page of entries at a time.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := f.check(ctx, "list", dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		if !f.s.isDir(dir) {
			yield(driver.Entry{}, fault.New("list", dir, fault.NotExist, nil))
			return
		}
		l := lister{fs: f, dir: dir, opts: opts}
		if dir != "" {
			l.base = dir + "/"
		}
		l.prefix = l.base + opts.Prefix
		l.next = max(l.prefix, opts.After)
		l.run(ctx, yield)
	}
}

// A lister is one listing under way.
type lister struct {
	fs     *FS
	dir    string
	base   string // what every path begins with
	prefix string // base and the prefix asked for
	next   string // the smallest path not seen yet
	opts   driver.ListOptions
	page   []object
}

func (l *lister) run(ctx context.Context, yield func(driver.Entry, error) bool) {
	for size := firstPage; ; size = min(2*size, lastPage) {
		if err := l.fs.check(ctx, "list", l.dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		l.fs.s.mu.RLock()
		l.page = l.fs.s.objects.take(l.page[:0], l.next, size)
		l.fs.s.mu.RUnlock()
		full := len(l.page) == size
		for i := range l.page {
			o := &l.page[i]
			path := o.path()
			if path < l.next {
				continue // rolled up into a directory
			}
			if !strings.HasPrefix(path, l.prefix) {
				return
			}
			if !l.one(o, path, yield) {
				return
			}
		}
		if !full {
			return
		}
		if last := l.page[size-1].path(); last >= l.next {
			l.next = last + "\x00"
		}
	}
}

// one yields o, or the directory right below l.dir that it lies in.
func (l *lister) one(o *object, path string, yield func(driver.Entry, error) bool) bool {
	if !l.opts.Recursive {
		// The empty directory at the root has no path: show what is in it.
		if i := strings.IndexByte(path[len(l.base):], '/'); i >= 0 && len(l.base)+i > 0 {
			d := path[:len(l.base)+i]
			l.next = d + "0" // "0" follows "/"
			if d+"/" <= l.opts.After {
				return true
			}
			return yield(driver.Entry{Path: d, Kind: driver.Dir, Size: -1}, nil)
		}
	}
	if path == l.opts.After {
		return true
	}
	return yield(entry(o), nil)
}
