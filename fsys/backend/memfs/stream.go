package memfs

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if err := f.check(ctx, "open", path); err != nil {
		return nil, err
	}
	o, ok := f.s.get(path)
	if !ok {
		return nil, f.s.absent("open", path)
	}
	e := entry(&o)
	if opts.Version != "" && opts.Version != e.Version {
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	data := o.data()
	off := opts.Offset
	if off < 0 {
		off = max(e.Size+off, 0)
	}
	data = data[min(off, e.Size):]
	if opts.Length > 0 {
		data = data[:min(opts.Length, int64(len(data)))]
	}
	return &reader{ctx: ctx, fs: f, entry: e, rest: data}, nil
}

// A reader is one request, so it keeps its context.
type reader struct {
	ctx   context.Context
	fs    *FS
	entry driver.Entry
	rest  string
}

// Entry implements [driver.Reader].
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.fs == nil {
		return 0, fault.New("read", r.entry.Path, fault.Invalid, errors.New("the reader is closed"))
	}
	if err := r.fs.check(r.ctx, "read", r.entry.Path); err != nil {
		return 0, err
	}
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.fs, r.rest = nil, ""
	return nil
}

// Create implements [driver.FS].
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if err := f.check(ctx, "create", path); err != nil {
		return nil, err
	}
	if err := valid("create", path); err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, fs: f, path: path, exclusive: opts.Exclusive}
	w.blob.Grow(len(path) + int(min(max(opts.SizeHint, 0), 64<<20)))
	w.blob.WriteString(path)
	return w, nil
}

// A writer is one request, so it keeps its context.
type writer struct {
	ctx       context.Context
	fs        *FS // nil after Commit or Abort
	path      string
	exclusive bool
	blob      strings.Builder // the path, then the content
}

var errEnded = errors.New("the writer has ended")

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.fs == nil {
		return 0, fault.New("write", w.path, fault.Invalid, errEnded)
	}
	if err := w.fs.check(w.ctx, "write", w.path); err != nil {
		return 0, err
	}
	return w.blob.Write(p)
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	f := w.fs
	if f == nil {
		return driver.Entry{}, fault.New("commit", w.path, fault.Invalid, errEnded)
	}
	defer w.Abort()
	for _, c := range []context.Context{w.ctx, ctx} {
		if err := f.check(c, "commit", w.path); err != nil {
			return driver.Entry{}, err
		}
	}
	blob := w.blob.String()
	if w.blob.Cap() > len(blob)+len(blob)/4+32 {
		blob = strings.Clone(blob) // give back what growing left over
	}
	return f.s.commit(blob, len(w.path), w.exclusive)
}

// Abort implements [driver.Writer].
func (w *writer) Abort() error {
	w.fs = nil
	w.blob.Reset()
	return nil
}
