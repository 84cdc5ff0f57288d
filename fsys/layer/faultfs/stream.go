package faultfs

import (
	"context"
	"io"

	"github.com/leat-dev/leat/fsys/driver"
)

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (r driver.Reader, err error) {
	err = f.do(ctx, "open", path, func() error { r, err = f.drv.Open(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	rule, err := f.strike(ctx, "read", path)
	if err != nil {
		r.Close()
		return nil, err
	}
	if rule == nil || rule.Err == nil {
		return r, nil
	}
	return &reader{Reader: r, path: path, rule: rule}, nil
}

// A reader breaks off after rule.N bytes.
type reader struct {
	driver.Reader
	path string
	rule *Rule
	n    int64
}

// Read implements io.Reader. An Err of io.EOF is a body that ends early
// without a word.
func (r *reader) Read(p []byte) (int, error) {
	left := r.rule.N - r.n
	if left <= 0 {
		if r.rule.Err == io.EOF {
			return 0, io.EOF
		}
		return 0, injected("read", r.path, r.rule)
	}
	n, err := r.Reader.Read(p[:min(left, int64(len(p)))])
	r.n += int64(n)
	return n, err
}

// Create implements [driver.FS].
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (w driver.Writer, err error) {
	err = f.do(ctx, "create", path, func() error { w, err = f.drv.Create(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	rule, err := f.strike(ctx, "write", path)
	if err != nil {
		w.Abort()
		return nil, err
	}
	return &writer{Writer: w, fs: f, path: path, rule: rule}, nil
}

// A writer breaks off after rule.N bytes, if it has a rule.
type writer struct {
	driver.Writer
	fs    *FS
	path  string
	rule  *Rule
	n     int64
	ended bool
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.rule == nil || w.rule.Err == nil {
		return w.Writer.Write(p)
	}
	left := w.rule.N - w.n
	pass := p[:min(max(left, 0), int64(len(p)))]
	n, err := w.Writer.Write(pass)
	w.n += int64(n)
	if err == nil && len(pass) < len(p) {
		err = injected("write", w.path, w.rule)
	}
	return n, err
}

// Commit implements [driver.Writer]. A commit that a rule strikes aborts,
// because nothing may be left of it.
func (w *writer) Commit(ctx context.Context) (e driver.Entry, err error) {
	if w.ended {
		return w.Writer.Commit(ctx)
	}
	w.ended = true
	err = w.fs.do(ctx, "commit", w.path, func() error { e, err = w.Writer.Commit(ctx); return err })
	if err != nil {
		w.Writer.Abort()
		return driver.Entry{}, err
	}
	return e, nil
}

// Abort implements [driver.Writer]. Only one that has something to do
// counts; an injected error comes after the abort below.
func (w *writer) Abort() error {
	if w.ended {
		return w.Writer.Abort()
	}
	w.ended = true
	err := w.Writer.Abort()
	if r := w.fs.pick("abort", w.path); r != nil && r.Err != nil && err == nil {
		err = injected("abort", w.path, r)
	}
	return err
}
