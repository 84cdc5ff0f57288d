package sftpfs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

const (
	// writeBytes is how much is collected before it is sent, as many packets
	// at once.
	writeBytes = 1 << 20
	// abortTime bounds the removal of a temporary file.
	abortTime = 5 * time.Second
)

// Create implements [driver.FS].
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	switch err := checkPath("create", path); {
	case err != nil:
		return nil, err
	case path == "":
		return nil, fault.New("create", path, fault.IsDir, errors.New("the root is a directory"))
	case strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], tempPrefix):
		return nil, fault.New("create", path, fault.Invalid, errors.New("names that begin with "+tempPrefix+" are for temporary files"))
	}
	c, err := f.pool.get(ctx)
	if err != nil {
		return nil, f.fail(ctx, "create", path, err)
	}
	type made struct {
		file *sftp.File
		name string
	}
	m, err := call(ctx, f.pool, c, func(c *sftp.Client) (made, error) {
		file, name, err := createTemp(c, path)
		return made{file, name}, err
	}, func(m made) {
		_ = m.file.Close()
		_ = c.sftp.Remove(m.name)
	})
	if err != nil {
		f.pool.put(c)
		return nil, f.fail(ctx, "create", path, err)
	}
	return &writer{ctx: ctx, fs: f, conn: c, file: m.file, temp: m.name, path: path, exclusive: opts.Exclusive}, nil
}

// createTemp makes a temporary file in the nearest folder above path that
// exists.
func createTemp(c *sftp.Client, path string) (*sftp.File, string, error) {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	base := tempPrefix + hex.EncodeToString(b[:])
	for dir := "/" + path; ; {
		dir = dir[:strings.LastIndexByte(dir, '/')]
		name := dir + "/" + base
		file, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err == nil || dir == "" || !errors.Is(err, fs.ErrNotExist) {
			return file, name, err
		}
		if info, serr := c.Stat(dir); serr == nil && !info.IsDir() {
			return nil, "", &fault.Error{Kind: fault.NotExist, Err: errors.New(dir + " is not a directory")}
		}
	}
}

// A writer is one request, so it keeps its context.
type writer struct {
	ctx       context.Context
	fs        *FS
	conn      *conn // nil after Commit or Abort
	file      *sftp.File
	temp      string
	path      string
	exclusive bool
	buf       []byte
	off       int64
	err       error // sticky
}

var errEnded = errors.New("the writer has ended")

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.conn == nil {
		return 0, fault.New("write", w.path, fault.Invalid, errEnded)
	}
	done := 0
	for len(p) > 0 && w.err == nil {
		if w.ctx.Err() != nil {
			w.err = w.fs.fail(w.ctx, "write", w.path, w.ctx.Err())
			break
		}
		n := min(len(p), writeBytes-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p, done = p[n:], done+n
		if len(w.buf) == writeBytes {
			w.err = w.flush(w.ctx)
		}
	}
	return done, w.err
}

// flush sends what was collected.
func (w *writer) flush(ctx context.Context) error {
	buf, off := w.buf, w.off
	n, err := call(ctx, w.fs.pool, w.conn, func(*sftp.Client) (int, error) {
		return w.file.WriteAt(buf, off)
	}, nil)
	if err == nil && n != len(buf) {
		err = errors.New("the server took a part only")
	}
	if err != nil {
		w.buf = nil // the call may still read it
		return w.fs.fail(ctx, "write", w.path, err)
	}
	w.off += int64(n)
	w.buf = w.buf[:0]
	return nil
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	if w.conn == nil {
		return driver.Entry{}, fault.New("commit", w.path, fault.Invalid, errEnded)
	}
	defer func() { _ = w.Abort() }()
	for _, c := range []context.Context{w.ctx, ctx} {
		if c.Err() != nil {
			return driver.Entry{}, w.fs.fail(c, "commit", w.path, c.Err())
		}
	}
	if w.err == nil && len(w.buf) > 0 {
		w.err = w.flush(ctx)
	}
	if w.err != nil {
		return driver.Entry{}, w.err
	}
	// From here on the answer is waited for, lest a file appear of which the
	// caller was told that it will not.
	grace, cancel := afterwards(ctx, abortTime)
	defer cancel()
	info, err := call(grace, w.fs.pool, w.conn, w.publish, nil)
	if err != nil {
		return driver.Entry{}, w.fs.fail(grace, "commit", w.path, err)
	}
	w.temp = ""
	return entry(w.path, info), nil
}

// afterwards returns a context that ends some time after ctx does, with
// [context.DeadlineExceeded].
func afterwards(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	grace, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) }) })
	return grace, func() {
		stop()
		cancel(context.Canceled)
	}
}

// publish gives the temporary file its name.
func (w *writer) publish(c *sftp.Client) (fs.FileInfo, error) {
	if _, ok := c.HasExtension("fsync@openssh.com"); ok {
		if err := w.file.Sync(); err != nil {
			return nil, err
		}
	}
	info, err := w.file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != w.off {
		return nil, &fault.Error{Kind: fault.Unavailable, Err: errors.New("the server has not kept all bytes")}
	}
	target := "/" + w.path
	old, err := c.Stat(target)
	switch {
	case err == nil && old.IsDir():
		return nil, &fault.Error{Kind: fault.IsDir}
	case err == nil && old.Size() == info.Size() && old.ModTime().Unix() == info.ModTime().Unix():
		// Whole seconds are all there is to tell the two apart.
		next := info.ModTime().Add(time.Second)
		if err := c.Chtimes(w.temp, next, next); err != nil {
			return nil, err
		}
		if info, err = w.file.Stat(); err != nil {
			return nil, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	made, err := mkdirs(c, target)
	if err == nil {
		err = w.rename(c, target)
	}
	if err != nil {
		for i := len(made) - 1; i >= 0; i-- {
			_ = c.RemoveDirectory(made[i]) // stays when others use it already
		}
		return nil, err
	}
	return info, w.file.Close()
}

// rename moves the temporary file to its place.
func (w *writer) rename(c *sftp.Client, target string) error {
	if w.exclusive {
		if _, ok := c.HasExtension("hardlink@openssh.com"); !ok {
			return &fault.Error{Kind: fault.Unsupported, Err: errors.New("the server has no hard links, which exclusive creation needs")}
		}
		err := c.Link(w.temp, target)
		if err != nil {
			if _, serr := c.Lstat(target); serr == nil {
				return &fault.Error{Kind: fault.Exist}
			}
			return err
		}
		return c.Remove(w.temp)
	}
	if _, ok := c.HasExtension("posix-rename@openssh.com"); ok {
		return c.PosixRename(w.temp, target)
	}
	err := c.Rename(w.temp, target)
	if err != nil && kindOf(err) == fault.Unknown {
		if _, serr := c.Lstat(target); serr == nil {
			return &fault.Error{Kind: fault.Unsupported, Err: errors.New("the server cannot replace a file in one step")}
		}
	}
	return err
}

// mkdirs makes the folders above target and returns those that were missing.
func mkdirs(c *sftp.Client, target string) ([]string, error) {
	var missing []string
	for dir := target; ; {
		if dir = dir[:strings.LastIndexByte(dir, '/')]; dir == "" {
			break
		}
		info, err := c.Stat(dir)
		if err == nil && !info.IsDir() {
			return nil, &fault.Error{Kind: fault.NotExist, Err: errors.New(dir + " is not a directory")}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append(missing, dir)
	}
	var made []string
	for i := len(missing) - 1; i >= 0; i-- {
		err := c.Mkdir(missing[i])
		if err == nil {
			made = append(made, missing[i])
			continue
		}
		if info, serr := c.Stat(missing[i]); serr != nil || !info.IsDir() { // another made it
			return made, err
		}
	}
	return made, nil
}

// Abort implements [driver.Writer].
func (w *writer) Abort() error {
	if w.conn == nil {
		return nil
	}
	c := w.conn
	w.conn, w.buf = nil, nil
	defer w.fs.pool.put(c)
	if w.temp == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	file, name := w.file, w.temp
	_, err := call(ctx, w.fs.pool, c, func(c *sftp.Client) (struct{}, error) {
		_ = file.Close()
		err := c.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return struct{}{}, err
	}, nil)
	return w.fs.fail(ctx, "abort", w.path, err)
}
