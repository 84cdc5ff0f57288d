package tracefs

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

// Options tunes [New]. The zero value is the default.
type Options struct {
	// Metrics takes the numbers; nil means one that nobody reads.
	Metrics *Metrics
	// OnEvent, when set, is told of each operation that has ended. It must
	// be safe for concurrent use and not block.
	OnEvent func(Event)
}

// An Event is an operation that has ended.
type Event struct {
	// Op is the operation; the package documentation lists them.
	Op string
	// Path is inside the file system; of a copy it is the source.
	Path string
	// Start is when it began.
	Start time.Time
	// Took is the time spent in the store.
	Took time.Duration
	// Bytes came or went, or Entries were listed or removed.
	Bytes, Entries int64
	// Err is how it failed, or nil.
	Err error
}

// New returns drv with counters. It does not block. Closing the result
// closes drv.
func New(drv driver.FS, opts *Options) driver.FS {
	f := &layer{drv: drv}
	if opts != nil {
		f.opts = *opts
	}
	if f.opts.Metrics == nil {
		f.opts.Metrics = &Metrics{}
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

// A span is one operation under way. It belongs to one goroutine.
type span struct {
	f     *layer
	op    op
	event Event
	ended bool
}

func (f *layer) begin(o op, path string) *span {
	f.opts.Metrics.ops[o].active.Add(1)
	return &span{f: f, op: o, event: Event{Op: opNames[o], Path: path, Start: time.Now()}}
}

// end counts the operation, the first time it is called.
func (s *span) end(err error) {
	if s.ended {
		return
	}
	s.ended = true
	s.event.Err = err
	s.f.opts.Metrics.ops[s.op].count(&s.event)
	if s.f.opts.OnEvent != nil {
		s.f.opts.OnEvent(s.event)
	}
}

// do runs an operation that is one call.
func (f *layer) do(o op, path string, call func(s *span) error) {
	s := f.begin(o, path)
	err := call(s)
	s.event.Took = time.Since(s.event.Start)
	s.end(err)
}

// Stat implements [driver.FS].
func (f *layer) Stat(ctx context.Context, path string) (e driver.Entry, err error) {
	f.do(opStat, path, func(*span) error { e, err = f.drv.Stat(ctx, path); return err })
	return e, err
}

// List implements [driver.FS].
func (f *layer) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		s := f.begin(opList, dir)
		var failed error
		since := s.event.Start
		for e, err := range f.drv.List(ctx, dir, opts) {
			now := time.Now()
			s.event.Took += now.Sub(since)
			if failed = err; err == nil {
				s.event.Entries++
			}
			if !yield(e, err) {
				s.end(failed)
				return
			}
			since = time.Now()
		}
		s.event.Took += time.Since(since)
		s.end(failed)
	}
}

// Open implements [driver.FS].
func (f *layer) Open(ctx context.Context, path string, opts driver.OpenOptions) (r driver.Reader, err error) {
	f.do(opOpen, path, func(*span) error { r, err = f.drv.Open(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, span: f.begin(opRead, path)}, nil
}

// reader counts a body. It ends with the first error, which io.EOF is not,
// or when it is closed.
type reader struct {
	driver.Reader
	span *span
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := r.Reader.Read(p)
	if r.span.ended {
		return n, err
	}
	r.span.event.Took += time.Since(start)
	r.span.event.Bytes += int64(n)
	if err != nil && err != io.EOF {
		r.span.end(err)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	err := r.Reader.Close()
	r.span.end(err)
	return err
}

// Create implements [driver.FS].
func (f *layer) Create(ctx context.Context, path string, opts driver.CreateOptions) (w driver.Writer, err error) {
	f.do(opCreate, path, func(*span) error { w, err = f.drv.Create(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	return &writer{Writer: w, fs: f, span: f.begin(opWrite, path)}, nil
}

// writer counts an upload, which ends with an error, Commit or Abort.
type writer struct {
	driver.Writer
	fs   *layer
	span *span
	done bool
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	start := time.Now()
	n, err := w.Writer.Write(p)
	if w.span.ended {
		return n, err
	}
	w.span.event.Took += time.Since(start)
	w.span.event.Bytes += int64(n)
	if err != nil {
		w.span.end(err)
	}
	return n, err
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (e driver.Entry, err error) {
	w.span.end(nil)
	w.done = true
	w.fs.do(opCommit, w.span.event.Path, func(*span) error { e, err = w.Writer.Commit(ctx); return err })
	return e, err
}

// Abort implements [driver.Writer]. One after the end is not counted.
func (w *writer) Abort() (err error) {
	w.span.end(nil)
	if w.done {
		return w.Writer.Abort()
	}
	w.done = true
	w.fs.do(opAbort, w.span.event.Path, func(*span) error { err = w.Writer.Abort(); return err })
	return err
}

// Remove implements [driver.FS].
func (f *layer) Remove(ctx context.Context, path string) (err error) {
	f.do(opRemove, path, func(s *span) error {
		if err = f.drv.Remove(ctx, path); err == nil {
			s.event.Entries = 1
		}
		return err
	})
	return err
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
	c.f.do(opCopy, src, func(s *span) error {
		if e, err = c.below.Copy(ctx, src, dst); err == nil {
			s.event.Bytes = max(e.Size, 0)
		}
		return err
	})
	return e, err
}

// batchRemover is the layer's optional ability to remove many objects.
type batchRemover struct {
	f     *layer
	below driver.BatchRemover
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements [driver.BatchRemover]. A batch is one operation,
// named after its first path; it has failed when one of its paths has.
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) (errs []error) {
	first := ""
	if len(paths) > 0 {
		first = paths[0]
	}
	b.f.do(opRemove, first, func(s *span) error {
		errs = b.below.RemoveBatch(ctx, paths)
		var failed error
		for _, err := range errs {
			switch {
			case err == nil:
				s.event.Entries++
			case failed == nil || fault.KindOf(failed) == fault.NotExist:
				failed = err
			}
		}
		return failed
	})
	return errs
}
