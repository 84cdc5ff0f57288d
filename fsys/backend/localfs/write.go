package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// Create implements [driver.FS].
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	w, err := f.create(ctx, "create", path, opts)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (f *FS) create(ctx context.Context, op, path string, opts driver.CreateOptions) (*writer, error) {
	name, err := f.check(ctx, op, path)
	if err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, fs: f, path: path, exclusive: opts.Exclusive}
	if w.name, w.mode, err = target(name, opts.Exclusive); err != nil {
		return nil, failure(op, path, err)
	}
	if err := w.openTemp(); err != nil {
		return nil, failure(op, path, err)
	}
	return w, nil
}

// target returns the name to write to, which is where links lead, and the
// permission bits of the file there, 0 for none. Only a regular file may be
// replaced: renaming over a device would destroy it.
func target(name string, exclusive bool) (string, fs.FileMode, error) {
	info, err := os.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 && !exclusive {
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return "", 0, fault.New("", "", fault.Invalid, fmt.Errorf("a link that leads nowhere: %w", err))
		}
		info, err = os.Lstat(name)
	}
	switch {
	case err != nil || exclusive: // absent, or Commit will tell
		return name, 0, nil
	case info.IsDir():
		return "", 0, fault.New("", "", fault.IsDir, nil)
	case !info.Mode().IsRegular():
		return "", 0, fault.New("", "", fault.Invalid, errors.New("not a regular file"))
	}
	return name, info.Mode().Perm(), nil
}

// A writer is one request, so it keeps its context.
type writer struct {
	ctx       context.Context
	fs        *FS
	path      string
	name      string      // the file to make
	mode      fs.FileMode // of the file that is replaced, or 0
	exclusive bool
	temp      *os.File // nil after Commit or Abort
	unnamed   bool     // temp has no name yet
	made      []string // directories made for it, outermost first
}

// createTries bounds how often a parent may vanish under Create, which
// happens when another writer aborts and removes what it made.
const createTries = 100

// openTemp makes the parents and the temporary file.
func (w *writer) openTemp() error {
	err := w.inDir(func() (err error) {
		w.temp, err = openUnnamed(filepath.Dir(w.name))
		w.unnamed = err == nil
		return err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		err = w.inDir(func() (err error) {
			w.temp, err = os.OpenFile(w.tempName(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
			return err
		})
	}
	if err != nil {
		w.unmake()
	}
	return err
}

// tempName returns a new name beside the target.
func (w *writer) tempName() string {
	return filepath.Join(filepath.Dir(w.name), tempPrefix+strconv.FormatUint(rand.Uint64(), 36))
}

// inDir runs call, making the parents of the target when they are not there.
func (w *writer) inDir(call func() error) error {
	for try := 0; ; try++ {
		err := call()
		if !errors.Is(err, fs.ErrNotExist) || try == createTries {
			return err
		}
		if err := w.mkdir(filepath.Dir(w.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// mkdir makes dir and its parents and notes those that were not there.
func (w *writer) mkdir(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := w.mkdir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o777)
	}
	if err == nil {
		w.made = append(w.made, dir)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// unmake removes the directories that were made, as far as they are empty.
func (w *writer) unmake() {
	for len(w.made) > 0 {
		last := len(w.made) - 1
		if os.Remove(w.made[last]) != nil {
			break
		}
		w.made = w.made[:last]
	}
	w.made = nil
}

var errEnded = errors.New("the writer has ended")

// ready begins Write and Commit.
func (w *writer) ready(ctx context.Context, op string) error {
	if w.temp == nil {
		return fault.New(op, w.path, fault.Invalid, errEnded)
	}
	if err := ctx.Err(); err != nil {
		return fault.New(op, w.path, fault.KindOf(err), context.Cause(ctx))
	}
	return nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.ready(w.ctx, "write"); err != nil {
		return 0, err
	}
	n, err := w.temp.Write(p)
	return n, failure("write", w.path, err)
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	for _, c := range []context.Context{w.ctx, ctx} {
		if err := w.ready(c, "commit"); err != nil {
			w.Abort()
			return driver.Entry{}, err
		}
	}
	e, err := w.commit()
	if err != nil {
		w.Abort()
		return driver.Entry{}, failure("commit", w.path, err)
	}
	return e, nil
}

func (w *writer) commit() (driver.Entry, error) {
	path := w.temp.Name()
	if w.unnamed {
		path = unnamedPath(w.temp)
	}
	// The kernel's clock ticks every few milliseconds: a time of our own
	// tells versions apart that follow each other faster.
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return driver.Entry{}, err
	}
	if w.mode != 0 {
		if err := w.temp.Chmod(w.mode); err != nil {
			return driver.Entry{}, err
		}
	}
	if w.fs.sync {
		if err := w.temp.Sync(); err != nil {
			return driver.Entry{}, err
		}
	}
	info, err := w.temp.Stat()
	if err != nil {
		return driver.Entry{}, err
	}
	publish := w.publish
	if w.unnamed {
		publish = w.publishUnnamed
	}
	if err := publish(); err != nil {
		return driver.Entry{}, err
	}
	w.temp, w.made = nil, nil
	return entry(w.path, info), w.syncDir()
}

// publish gives the temporary file the name of the target.
func (w *writer) publish() error {
	temp := w.temp.Name()
	if err := w.temp.Close(); err != nil {
		return err
	}
	if !w.exclusive {
		return w.rename(temp)
	}
	if err := os.Link(temp, w.name); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		return fault.New("", "", fault.Unsupported, fmt.Errorf("exclusive create needs hard links: %w", err))
	}
	os.Remove(temp) // a second name of the same file, and a hidden one
	return nil
}

// publishUnnamed gives the file the name of the target, by way of another
// when that is taken: a link does not replace.
func (w *writer) publishUnnamed() error {
	err := w.inDir(func() error { return linkUnnamed(w.temp, w.name) })
	if !w.exclusive && errors.Is(err, fs.ErrExist) {
		temp := w.tempName()
		if err = w.inDir(func() error { return linkUnnamed(w.temp, temp) }); err == nil {
			if err = w.rename(temp); err != nil {
				os.Remove(temp)
			}
		}
	}
	if err == nil {
		w.temp.Close() // it has its name and content already
	}
	return err
}

// rename replaces the target.
func (w *writer) rename(temp string) error {
	err := os.Rename(temp, w.name)
	if err != nil {
		if info, serr := os.Stat(w.name); serr == nil && info.IsDir() {
			return fault.New("", "", fault.IsDir, nil)
		}
	}
	return err
}

// syncDir makes the new name survive a crash. When it fails the file is
// there, and whether it stays is not known.
func (w *writer) syncDir() error {
	if !w.fs.sync {
		return nil
	}
	d, err := os.Open(filepath.Dir(w.name))
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fault.New("", "", fault.Unavailable, err)
	}
	return nil
}

// Abort implements [driver.Writer].
func (w *writer) Abort() error {
	if w.temp == nil {
		return nil
	}
	err := w.temp.Close()
	if !w.unnamed {
		// Closed twice after a failed commit, which is harmless.
		err = os.Remove(w.temp.Name())
	}
	w.temp = nil
	w.unmake()
	return failure("abort", w.path, err)
}

// copyStep is how much is copied between two looks at the context.
const copyStep = 64 << 20

// Copy implements [driver.Copier]. The kernel copies, and shares the blocks
// where the disk's file system can.
func (f *FS) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	name, err := f.check(ctx, "copy", src)
	if err != nil {
		return driver.Entry{}, err
	}
	in, e, err := openFile("copy", src, name)
	if err != nil {
		return driver.Entry{}, err
	}
	defer in.Close()
	w, err := f.create(ctx, "copy", dst, driver.CreateOptions{})
	if err != nil {
		return driver.Entry{}, err
	}
	defer w.Abort()
	if w.mode == 0 {
		w.mode = perm(in)
	}
	n, err := copySteps(ctx, w, in)
	if err != nil {
		return driver.Entry{}, failure("copy", src, err)
	}
	if e.Size > 0 && n != e.Size {
		return driver.Entry{}, fault.New("copy", src, fault.Changed, fmt.Errorf("%d of %d bytes were copied", n, e.Size))
	}
	return w.Commit(ctx)
}

// perm returns the permission bits of an open file.
func perm(file *os.File) fs.FileMode {
	if info, err := file.Stat(); err == nil {
		return info.Mode().Perm()
	}
	return 0
}

func copySteps(ctx context.Context, w *writer, in *os.File) (n int64, err error) {
	for {
		if err := w.ready(ctx, "copy"); err != nil {
			return n, err
		}
		m, err := io.CopyN(w.temp, in, copyStep)
		n += m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
