package localfs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// List implements [driver.FS]. One directory's names are held in memory at a
// time for each level of depth, because the operating system does not sort
// them; files are described as the loop gets to them.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if _, err := f.check(ctx, "list", dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		l := &lister{ctx: ctx, fs: f, opts: opts, prefix: opts.Prefix, yield: yield}
		base := ""
		if dir != "" {
			base = dir + "/"
			l.prefix = base + opts.Prefix
		}
		l.dir(dir, base, true)
	}
}

// A lister is one listing under way.
type lister struct {
	ctx    context.Context
	fs     *FS
	opts   driver.ListOptions
	prefix string // what every path begins with
	yield  func(driver.Entry, error) bool
}

// A child is a directory entry; key is what it sorts by.
type child struct {
	key  string // the name, with a "/" behind it for directories
	link bool
	info fs.FileInfo // of the target, for links
	de   fs.DirEntry
}

// dir lists one directory and, when recursive, those below it. It returns
// false when the listing must end.
func (l *lister) dir(dir, base string, top bool) bool {
	children, err := l.read(dir, base)
	if err != nil {
		if !top && fault.KindOf(err) == fault.NotExist {
			return true // gone since its parent was read
		}
		l.yield(driver.Entry{}, err)
		return false
	}
	for _, c := range children {
		if err := l.ctx.Err(); err != nil {
			l.yield(driver.Entry{}, fault.New("list", dir, fault.KindOf(err), context.Cause(l.ctx)))
			return false
		}
		if !l.child(base, c) {
			return false
		}
	}
	return true
}

// child yields one entry and what is below it.
func (l *lister) child(base string, c child) bool {
	name, isDir := strings.CutSuffix(c.key, "/")
	path := base + name
	if base+c.key > l.opts.After && strings.HasPrefix(path, l.prefix) {
		info, err := c.info, error(nil)
		if info == nil {
			info, err = c.de.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since the directory was read
			return true
		case err != nil:
			l.yield(driver.Entry{}, failure("list", path, err))
			return false
		case !l.yield(entry(path, info), nil):
			return false
		}
	}
	if isDir && !c.link && l.opts.Recursive {
		return l.dir(path, path+"/", false)
	}
	return true
}

// read returns what the listing wants of one directory, sorted.
func (l *lister) read(dir, base string) ([]child, error) {
	d, err := os.Open(l.fs.LocalPath(dir))
	if err != nil {
		return nil, failure("list", dir, err)
	}
	defer d.Close()
	des, err := d.ReadDir(-1)
	if err != nil {
		return nil, failure("list", dir, err)
	}
	children := make([]child, 0, len(des))
	for _, de := range des {
		if c, ok := l.want(base, de); ok {
			children = append(children, c)
		}
	}
	slices.SortFunc(children, func(a, b child) int { return strings.Compare(a.key, b.key) })
	return children, nil
}

// want decides whether de, or something below it, is in the listing.
func (l *lister) want(base string, de fs.DirEntry) (child, bool) {
	name := de.Name()
	if strings.HasPrefix(name, tempPrefix) {
		return child{}, false
	}
	path := base + name
	deeper := l.opts.Recursive && strings.HasPrefix(l.prefix, path+"/")
	if !deeper && !strings.HasPrefix(path, l.prefix) {
		return child{}, false
	}
	c := child{key: name, de: de}
	isDir := de.IsDir()
	if de.Type()&fs.ModeSymlink != 0 {
		c.link = true
		if info, err := stat(l.fs.LocalPath(path)); err == nil {
			c.info, isDir = info, info.IsDir()
		}
	}
	if isDir {
		c.key += "/"
	}
	// What sorts up to After is done with, but a directory may hold later
	// names.
	if path+strings.TrimPrefix(c.key, name) <= l.opts.After && !(isDir && strings.HasPrefix(l.opts.After, path+"/")) {
		return child{}, false
	}
	return c, true
}
