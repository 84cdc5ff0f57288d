package sftpfs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pkg/sftp"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// readBytes is how much is asked for at a time: many packets under way at
// once, which is what makes a far server fast.
const readBytes = 1 << 20

// opened is an open file and what the server says of it.
type opened struct {
	file  *sftp.File
	entry driver.Entry
}

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if err := checkPath("open", path); err != nil {
		return nil, err
	}
	c, err := f.pool.get(ctx)
	if err != nil {
		return nil, f.fail(ctx, "open", path, err)
	}
	o, err := call(ctx, f.pool, c, func(c *sftp.Client) (opened, error) { return open(c, path) }, func(o opened) { _ = o.file.Close() })
	if err != nil {
		f.pool.put(c)
		return nil, f.fail(ctx, "open", path, err)
	}
	r := &reader{ctx: ctx, fs: f, conn: c, file: o.file, entry: o.entry}
	if opts.Version != "" && opts.Version != o.entry.Version {
		_ = r.Close()
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	if r.off = opts.Offset; r.off < 0 {
		r.off = max(o.entry.Size+r.off, 0)
	}
	r.left = max(o.entry.Size-r.off, 0)
	if opts.Length > 0 {
		r.left = min(r.left, opts.Length)
	}
	return r, nil
}

// open opens a file, and nothing else.
func open(c *sftp.Client, path string) (opened, error) {
	info, err := c.Stat("/" + path) // a pipe would hang, a directory opens
	if err != nil {
		return opened{}, err
	}
	if e := entry(path, info); e.Kind == driver.Dir {
		return opened{}, &fault.Error{Kind: fault.IsDir}
	} else if e.Kind != driver.File {
		return opened{}, &fault.Error{Kind: fault.Invalid, Err: errors.New("neither a file nor a directory")}
	}
	file, err := c.Open("/" + path)
	if err != nil {
		return opened{}, err
	}
	if info, err = file.Stat(); err != nil {
		_ = file.Close()
		return opened{}, err
	}
	return opened{file, entry(path, info)}, nil
}

// A reader is one request, so it keeps its context.
type reader struct {
	ctx   context.Context
	fs    *FS
	conn  *conn // nil once closed
	file  *sftp.File
	entry driver.Entry
	off   int64 // of what is to be asked for next
	left  int64 // still to be asked for
	buf   []byte
	rest  []byte // of buf
	err   error  // sticky
}

// Entry implements [driver.Reader].
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.ctx.Err() != nil:
		r.err = r.fs.fail(r.ctx, "read", r.entry.Path, r.ctx.Err())
		return 0, r.err
	case len(r.rest) == 0 && r.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if len(r.rest) == 0 {
		if err := r.fill(); err != nil {
			r.err = r.fs.fail(r.ctx, "read", r.entry.Path, err)
			return 0, r.err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill asks for the next bytes, more at a time once the beginning was read.
// The buffer is a new one after a call that was given up, which may still
// write to the old one; after that the reader is of no use anyway.
func (r *reader) fill() error {
	size := min(r.left, readBytes)
	if r.buf == nil {
		size = min(size, readBytes/4)
	}
	if int64(cap(r.buf)) < size {
		r.buf = make([]byte, size)
	}
	buf, off := r.buf[:size], r.off
	n, err := call(r.ctx, r.fs.pool, r.conn, func(*sftp.Client) (int, error) { return r.file.ReadAt(buf, off) }, nil)
	if n < len(buf) {
		if err == io.EOF || err == nil {
			err = fmt.Errorf("the file has become shorter, with %d bytes still to come: %w", r.left-int64(n), io.ErrUnexpectedEOF)
		}
		return err
	}
	r.off, r.left, r.rest = r.off+size, r.left-size, buf
	return nil
}

// Close implements io.Closer. It does not wait for the server.
func (r *reader) Close() error {
	if r.conn == nil {
		return nil
	}
	c, file := r.conn, r.file
	r.conn = nil
	r.err = &fault.Error{Op: "read", Path: r.entry.Path, Kind: fault.Invalid, Err: errors.New("the reader is closed")}
	r.fs.pool.background(func() {
		_ = file.Close() // nothing was written
		r.fs.pool.put(c)
	})
	return nil
}
