package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	name, err := f.check(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	file, e, err := openFile("open", path, name)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, file: file, entry: e, left: -1}
	if err := r.seek(opts); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

// openFile opens a regular file and describes it as opened. Anything else is
// refused before it is opened: a pipe would block.
func openFile(op, path, name string) (*os.File, driver.Entry, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = readable(op, path, entry(path, info))
	}
	if err != nil {
		return nil, driver.Entry{}, failure(op, path, err)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, driver.Entry{}, failure(op, path, err)
	}
	info, err = file.Stat()
	e := driver.Entry{}
	if err == nil {
		e = entry(path, info)
		err = readable(op, path, e)
	}
	if err != nil {
		file.Close()
		return nil, e, failure(op, path, err)
	}
	return file, e, nil
}

// readable refuses what is not a file.
func readable(op, path string, e driver.Entry) error {
	switch e.Kind {
	case driver.File:
		return nil
	case driver.Dir:
		return fault.New(op, path, fault.IsDir, nil)
	}
	return fault.New(op, path, fault.Invalid, errors.New("not a regular file"))
}

// A reader is one request, so it keeps its context.
type reader struct {
	ctx   context.Context
	file  *os.File
	entry driver.Entry
	left  int64 // bytes to come; -1 when not known
	bound int64 // bytes that may come at most when left is -1; 0 for any
}

// seek goes to the start of the range.
func (r *reader) seek(opts driver.OpenOptions) error {
	path, size := r.entry.Path, r.entry.Size
	if opts.Version != "" && opts.Version != r.entry.Version {
		return fault.New("open", path, fault.Changed, nil)
	}
	off := opts.Offset
	if off < 0 {
		off = max(size+off, 0)
	}
	if off > 0 {
		if _, err := r.file.Seek(off, io.SeekStart); err != nil {
			return failure("open", path, err)
		}
	}
	if size == 0 {
		// Files of /proc say that they are empty and are not.
		r.bound = opts.Length
		return nil
	}
	r.left = max(size-off, 0)
	if opts.Length > 0 {
		r.left = min(r.left, opts.Length)
	}
	return nil
}

// Entry implements [driver.Reader].
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	path := r.entry.Path
	if err := r.ctx.Err(); err != nil {
		return 0, fault.New("read", path, fault.KindOf(err), context.Cause(r.ctx))
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	if limit := max(r.left, r.bound); limit > 0 && int64(len(p)) > limit {
		p = p[:limit]
	}
	n, err := r.file.Read(p)
	switch {
	case r.left > 0:
		r.left -= int64(n)
		if err == io.EOF {
			return n, fault.New("read", path, fault.Unavailable,
				fmt.Errorf("%d bytes less than its size: %w", r.left, io.ErrUnexpectedEOF))
		}
	case r.bound > 0:
		if r.bound -= int64(n); r.bound == 0 {
			r.left = 0
		}
	}
	if err != nil && err != io.EOF {
		err = failure("read", path, err)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return failure("close", r.entry.Path, r.file.Close()) }
