package limitfs

import (
	"cmp"
	"context"
	"io"
	"iter"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
	"github.com/leat-dev/leat/task"
)

// Options tunes [New]. What is nil is not limited.
type Options struct {
	// Requests bounds the calls to the store that are under way.
	Requests *task.Budget
	// Bytes bounds the buffers of the reads and writes that are under way.
	// A buffer larger than the budget is used in pieces.
	Bytes *task.Budget
	// Reads and Writes bound how many bytes a second come and go; they may
	// be the same rate.
	Reads, Writes *Rate
}

// New returns drv within limits. It does not block. Closing the result
// closes drv.
func New(drv driver.FS, opts *Options) driver.FS {
	f := &layer{drv: drv}
	if opts != nil {
		f.opts = *opts
	}
	var c driver.Copier
	if below, ok := drv.(driver.Copier); ok {
		c = copier{f, below}
	}
	var b driver.BatchRemover
	if below, ok := drv.(driver.BatchRemover); ok {
		b = batchRemover{f, below}
	}
	l, _ := drv.(driver.LocalPather)
	return caps.With(f, c, b, l)
}

// layer implements driver.FS.
type layer struct {
	drv  driver.FS
	opts Options
}

// acquire takes n units of a budget that may be nil.
func acquire(ctx context.Context, b *task.Budget, n int64, op, path string) error {
	if b == nil {
		return nil
	}
	if err := b.Acquire(ctx, n); err != nil {
		return fault.New(op, path, fault.Unknown, err)
	}
	return nil
}

func release(b *task.Budget, n int64) {
	if b != nil {
		b.Release(n)
	}
}

// do runs one request.
func (f *layer) do(ctx context.Context, op, path string, call func() error) error {
	if err := acquire(ctx, f.opts.Requests, 1, op, path); err != nil {
		return err
	}
	defer release(f.opts.Requests, 1)
	return call()
}

// Stat implements [driver.FS].
func (f *layer) Stat(ctx context.Context, path string) (e driver.Entry, err error) {
	err = f.do(ctx, "stat", path, func() error { e, err = f.drv.Stat(ctx, path); return err })
	return e, err
}

// List implements [driver.FS]. The consumer runs without a unit.
func (f *layer) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	if f.opts.Requests == nil {
		return f.drv.List(ctx, dir, opts)
	}
	return func(yield func(driver.Entry, error) bool) {
		if err := acquire(ctx, f.opts.Requests, 1, "list", dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		held := true
		defer func() {
			if held {
				release(f.opts.Requests, 1)
			}
		}()
		for e, err := range f.drv.List(ctx, dir, opts) {
			held = false
			release(f.opts.Requests, 1)
			if !yield(e, err) || err != nil {
				return
			}
			if err := acquire(ctx, f.opts.Requests, 1, "list", dir); err != nil {
				yield(driver.Entry{}, err)
				return
			}
			held = true
		}
	}
}

// Open implements [driver.FS].
func (f *layer) Open(ctx context.Context, path string, opts driver.OpenOptions) (r driver.Reader, err error) {
	err = f.do(ctx, "open", path, func() error { r, err = f.drv.Open(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, ctx: ctx, fs: f, path: path}, nil
}

// A reader is one request, so it keeps its context.
type reader struct {
	driver.Reader
	ctx  context.Context
	fs   *layer
	path string
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (n int, err error) {
	p = r.fs.piece(p, r.fs.opts.Reads)
	lerr := r.fs.transfer(r.ctx, "read", r.path, len(p), func() { n, err = r.Reader.Read(p) })
	if lerr == nil && n > 0 {
		lerr = r.fs.opts.Reads.wait(r.ctx, "read", r.path, n)
	}
	if lerr != nil && (err == nil || err == io.EOF) {
		err = lerr
	}
	return n, err
}

// piece cuts p to what can be asked of the budget and the rate at once.
func (f *layer) piece(p []byte, rate *Rate) []byte {
	n := int64(len(p))
	if f.opts.Bytes != nil {
		n = min(n, f.opts.Bytes.Size())
	}
	if rate != nil {
		n = min(n, int64(rate.l.Burst()))
	}
	return p[:n]
}

// transfer moves a buffer of n bytes.
func (f *layer) transfer(ctx context.Context, op, path string, n int, call func()) error {
	if err := acquire(ctx, f.opts.Bytes, int64(n), op, path); err != nil {
		return err
	}
	defer release(f.opts.Bytes, int64(n))
	return f.do(ctx, op, path, func() error { call(); return nil })
}

// Create implements [driver.FS].
func (f *layer) Create(ctx context.Context, path string, opts driver.CreateOptions) (w driver.Writer, err error) {
	err = f.do(ctx, "create", path, func() error { w, err = f.drv.Create(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	return &writer{Writer: w, ctx: ctx, fs: f, path: path}, nil
}

// A writer is one request, so it keeps its context.
type writer struct {
	driver.Writer
	ctx  context.Context
	fs   *layer
	path string
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (done int, err error) {
	if len(p) == 0 {
		return w.Writer.Write(p)
	}
	for done < len(p) {
		piece := w.fs.piece(p[done:], w.fs.opts.Writes)
		if err := w.fs.opts.Writes.wait(w.ctx, "write", w.path, len(piece)); err != nil {
			return done, err
		}
		n := 0
		lerr := w.fs.transfer(w.ctx, "write", w.path, len(piece), func() { n, err = w.Writer.Write(piece) })
		done += n
		if lerr != nil || err != nil {
			return done, cmp.Or(lerr, err)
		}
	}
	return done, nil
}

// Commit implements [driver.Writer]. A commit that does not get its turn
// aborts, because nothing may be left of it.
func (w *writer) Commit(ctx context.Context) (e driver.Entry, err error) {
	err = w.fs.do(ctx, "commit", w.path, func() error { e, err = w.Writer.Commit(ctx); return err })
	if err != nil {
		w.Writer.Abort()
		return driver.Entry{}, err
	}
	return e, nil
}

// Remove implements [driver.FS].
func (f *layer) Remove(ctx context.Context, path string) error {
	return f.do(ctx, "remove", path, func() error { return f.drv.Remove(ctx, path) })
}

// Close implements [driver.FS].
func (f *layer) Close() error { return f.drv.Close() }

// copier is the layer's optional ability to copy.
type copier struct {
	f     *layer
	below driver.Copier
}

// Copy implements [driver.Copier].
func (c copier) Copy(ctx context.Context, src, dst string) (e driver.Entry, err error) {
	err = c.f.do(ctx, "copy", src, func() error { e, err = c.below.Copy(ctx, src, dst); return err })
	return e, err
}

// batchRemover is the layer's optional ability to remove many objects.
type batchRemover struct {
	f     *layer
	below driver.BatchRemover
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements [driver.BatchRemover]. A batch is one request.
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) (errs []error) {
	err := b.f.do(ctx, "remove", "", func() error { errs = b.below.RemoveBatch(ctx, paths); return nil })
	if err == nil {
		return errs
	}
	errs = make([]error, len(paths))
	for i, p := range paths {
		errs[i] = fault.New("remove", p, fault.Unknown, err)
	}
	return errs
}
