package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// tempPrefix begins the names of unfinished files.
const tempPrefix = ".leat-tmp-"

// Options tunes [New]. The zero value is the default.
type Options struct {
	// Root is the directory that paths are relative to. Links below it may
	// lead out of it. Empty means "/", on Windows no directory at all.
	Root string
	// Sync flushes the file and its directory to the disk in Commit, so that
	// a commit survives a crash of the machine. It costs milliseconds a
	// file, which is why it is off by default.
	Sync bool
}

// An FS is a tree of local files. It implements [driver.FS],
// [driver.Copier] and [driver.LocalPather].
type FS struct {
	root   string // with a trailing separator, or empty
	sync   bool
	closed atomic.Bool
}

// New returns the file system below a directory, which need not exist yet.
// It does no I/O.
func New(opts *Options) *FS {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Root == "" && runtime.GOOS != "windows" {
		o.Root = "/"
	}
	if o.Root != "" && !strings.HasSuffix(o.Root, string(filepath.Separator)) {
		o.Root += string(filepath.Separator)
	}
	return &FS{root: o.Root, sync: o.Sync}
}

// LocalPath implements [driver.LocalPather].
func (f *FS) LocalPath(path string) string {
	if path == "" && f.root == "" {
		return string(filepath.Separator)
	}
	return f.root + filepath.FromSlash(path)
}

// Close implements [driver.FS].
func (f *FS) Close() error {
	f.closed.Store(true)
	return nil
}

// check begins every operation. It returns the file's name.
func (f *FS) check(ctx context.Context, op, path string) (string, error) {
	if f.closed.Load() {
		return "", fault.New(op, path, fault.Invalid, errors.New("the file system is closed"))
	}
	if err := ctx.Err(); err != nil {
		return "", fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	if err := valid(path); err != nil {
		return "", fault.New(op, path, fault.Invalid, err)
	}
	return f.LocalPath(path), nil
}

// valid refuses the names that a directory tree cannot hold.
func valid(path string) error {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "":
			return errors.New(`a local path has no empty component: write it without "//" and without "/" at either end`)
		case name == "." || name == "..":
			return fmt.Errorf("a local path has no component %q", name)
		case strings.HasPrefix(name, tempPrefix):
			return fmt.Errorf("names that begin with %q are kept for unfinished files", tempPrefix)
		case strings.IndexByte(name, 0) >= 0:
			return errors.New("a local path has no zero byte")
		case filepath.Separator != '/' && strings.ContainsRune(name, filepath.Separator):
			return fmt.Errorf("a local path has no %q", filepath.Separator)
		}
	}
	return nil
}

// failure dresses an error of the operating system once: the path that it
// names is that of f.
func failure(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var fe *fault.Error
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &fe): // chosen already
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return fault.New(op, path, fault.Unknown, err)
}

// entry describes what info says about path.
func entry(path string, info fs.FileInfo) driver.Entry {
	e := driver.Entry{Path: path, Size: -1, ModTime: info.ModTime()}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e.Kind, e.Size, e.Version = driver.File, info.Size(), version(info)
	case mode.IsDir():
		e.Kind = driver.Dir
	default:
		e.Kind = driver.Other
	}
	return e
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	name, err := f.check(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	info, err := stat(name)
	if err != nil {
		return driver.Entry{}, failure("stat", path, err)
	}
	return entry(path, info), nil
}

// stat follows links, but describes one that leads nowhere itself.
func stat(name string) (fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		if link, lerr := os.Lstat(name); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return link, nil
		}
	}
	return info, err
}

// Remove implements [driver.FS]. A link is removed, not what it leads to.
func (f *FS) Remove(ctx context.Context, path string) error {
	name, err := f.check(ctx, "remove", path)
	if err != nil {
		return err
	}
	if path == "" {
		return fault.New("remove", path, fault.Invalid, errors.New("the root cannot be removed"))
	}
	return failure("remove", path, os.Remove(name))
}
