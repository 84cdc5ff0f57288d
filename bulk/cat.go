package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// The sizes of what is read ahead. An object up to headBytes is fetched with
// one request while earlier ones are written; of a larger one the head is,
// and the rest when its turn has come, in ranges side by side. An object of
// unknown size is asked for guessBytes: 256 of them fill half the default
// window, and most small objects are smaller.
const (
	headBytes  = 1 << 20
	guessBytes = 128 << 10
	rangeBytes = 4 << 20
)

// Cat writes the objects of src to w, one after the other in the order of
// src, and returns when all of them have ended; see [Expand] for src. Up to
// Jobs of them are fetched ahead, as far as the window has room.
//
// An object that cannot be read is left out and its failure recorded, as
// long as none of its bytes were written. One that breaks off later ends the
// run with its error, since what followed would read as its continuation. An
// object that is replaced while it is read is such an error, of kind
// [fault.Changed]: bytes of two versions are never mixed, where the store
// has versions. An error of w ends the run and is returned as it is.
func Cat(ctx context.Context, w io.Writer, src iter.Seq2[Object, error], opts *Options) (Summary, error) {
	c := &catRun{recorder: newRecorder("cat", opts), w: w}
	// One half is for heads, the other for the ranges of the object that is
	// being written: were they to share, heads could fill it all and wait for
	// an object that waits for room.
	half := max(c.opts.Window/2, 1)
	c.head, c.guess, c.part = min(headBytes, half), min(guessBytes, half), min(rangeBytes, half)
	heads := func(yield func(*piece, error) bool) {
		for o, err := range src {
			if err != nil {
				yield(nil, err)
				return
			}
			c.begin(1, o.size())
			if !yield(c.headOf(o), nil) {
				return
			}
		}
		c.opts.Progress.complete.Store(true)
	}
	err := inOrder(ctx, c.opts.Jobs, task.NewBudget(half), heads, c.fetchHead, c.write)
	if sunk := (*sinkError)(nil); errors.As(err, &sunk) {
		err = sunk.err
	}
	return c.finish(err)
}

type catRun struct {
	*recorder
	w                 io.Writer
	head, guess, part int64
}

// A piece is a range of one object on its way.
type piece struct {
	obj   Object
	off   int64
	held  int64 // bytes of the window that are reserved
	asked int64 // bytes to ask for; 0 asks for the whole object
	buf   []byte
	entry fsys.Entry // of the object as it was opened
	whole bool       // buf is all of the object
	err   error
	ready chan struct{}
}

// headOf plans the first request for o.
func (c *catRun) headOf(o Object) *piece {
	p := &piece{obj: o, ready: make(chan struct{})}
	switch size := o.size(); {
	case size < 0:
		p.held, p.asked = c.guess, c.guess
	case size <= c.head:
		p.held = size
	default:
		p.held, p.asked = c.head, c.head
	}
	return p
}

// fetchHead reads the beginning of an object into memory.
func (c *catRun) fetchHead(ctx context.Context, p *piece) {
	p.err = c.fetch(ctx, p, "")
}

// fetch reads up to p.held bytes and keeps what the object looked like.
func (r *recorder) fetch(ctx context.Context, p *piece, version string) error {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return err
	}
	defer task.Requests().Release(1)
	opts := &fsys.OpenOptions{Offset: p.off, Length: p.asked, Version: version}
	in, err := p.obj.FS.Open(ctx, p.obj.Path, opts)
	if err != nil {
		return err
	}
	defer in.Close()
	p.entry = in.Entry()
	want := p.held
	if p.entry.Size >= 0 {
		want = min(want, max(p.entry.Size-p.off, 0))
	}
	p.buf = make([]byte, want)
	n, err := io.ReadFull(in, p.buf)
	p.buf = p.buf[:n]
	r.opts.Progress.bytes.Add(int64(n))
	// A reader that breaks off says so with an error of its own; a plain end
	// is the end of the object, or the store misjudged its size.
	ended := err == io.EOF || err == io.ErrUnexpectedEOF
	switch {
	case ended && p.entry.Size < 0:
		p.whole = true
		return nil
	case ended:
		return fault.New(r.op, p.obj.URL(), fault.Unavailable, fmt.Errorf("%d of %d bytes came: %w", n, want, io.ErrUnexpectedEOF))
	}
	p.whole = err == nil && p.off == 0 && p.entry.Size == int64(n)
	return err
}

// write writes the object whose head is p; it is its turn.
func (c *catRun) write(ctx context.Context, p *piece) error {
	if p.err != nil {
		c.end(ctx, Event{Src: p.obj.Ref, Err: p.err})
		return nil
	}
	var n int64
	var err error
	switch {
	case p.whole:
		n, err = c.put(p.buf)
	case p.entry.Version == "" || p.entry.Size < 0:
		// Nothing ties two requests to one version: take it all from one.
		c.opts.Progress.bytes.Add(-int64(len(p.buf)))
		n, err = c.stream(ctx, p.obj)
	default:
		n, err = c.put(p.buf)
		if err == nil {
			var m int64
			m, err = c.rest(ctx, p)
			n += m
		}
	}
	if sunk := (*sinkError)(nil); errors.As(err, &sunk) {
		c.end(ctx, Event{Src: p.obj.Ref, Status: Canceled})
		return err
	}
	c.end(ctx, Event{Src: p.obj.Ref, Bytes: n, Err: err})
	if n == 0 {
		return nil // nothing of it was written, so the others can go on
	}
	return err
}

// rest fetches what follows the head p, in ranges of the same version.
func (c *catRun) rest(ctx context.Context, p *piece) (n int64, err error) {
	fetch := func(ctx context.Context, r *piece) { r.err = c.fetch(ctx, r, p.entry.Version) }
	err = inOrder(ctx, c.opts.Jobs, task.NewBudget(c.part*max(1, c.opts.Window/2/c.part)),
		ranges(p.obj, int64(len(p.buf)), p.entry.Size, c.part), fetch,
		func(_ context.Context, r *piece) error {
			if r.err != nil {
				return r.err
			}
			m, err := c.put(r.buf)
			n += m
			return err
		})
	return n, err
}

// ranges cuts an object from the byte off up to end into pieces.
func ranges(o Object, off, end, part int64) iter.Seq2[*piece, error] {
	return func(yield func(*piece, error) bool) {
		for ; off < end; off += part {
			size := min(part, end-off)
			if !yield(&piece{obj: o, off: off, held: size, asked: size, ready: make(chan struct{})}, nil) {
				return
			}
		}
	}
}

// stream writes all of an object from one request.
func (c *catRun) stream(ctx context.Context, o Object) (n int64, err error) {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer task.Requests().Release(1)
	r, err := o.FS.Open(ctx, o.Path, nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	buf := largeBuffers.pool.Get().(*[]byte)
	defer largeBuffers.pool.Put(buf)
	for ctx.Err() == nil {
		m, rerr := r.Read(*buf)
		c.opts.Progress.bytes.Add(int64(m))
		k, werr := c.put((*buf)[:m])
		n += k
		switch size := r.Entry().Size; {
		case werr != nil:
			return n, werr
		case rerr == io.EOF && size >= 0 && n != size:
			return n, fault.New("cat", o.URL(), fault.Unavailable, fmt.Errorf("%d of %d bytes came: %w", n, size, io.ErrUnexpectedEOF))
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
	return n, context.Cause(ctx)
}

// A sinkError is an error of the writer that everything goes to.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// put writes to the sink.
func (c *catRun) put(b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = &sinkError{err}
	}
	return int64(n), err
}

// inOrder fetches pieces side by side and emits them in order. Room is
// reserved in order too, before a fetch begins: so the piece whose turn it
// is always has its own, and those after it only what is left. All of it is
// given back. What it returns ended it early: an error of pieces or of emit, or the cause of ctx.
func inOrder(
	ctx context.Context, jobs int, room *task.Budget, pieces iter.Seq2[*piece, error],
	fetch func(context.Context, *piece), emit func(context.Context, *piece) error,
) error {
	var planErr, emitErr error
	var held, freed int64
	// Fetched pieces wait here for one that is slow, so it holds several
	// times what is in flight.
	queue := make(chan *piece, 4*jobs)
	err := task.Run(ctx, &task.Options{Name: "read ahead", Limit: jobs + 1}, func(g *task.Group) error {
		g.GoLater("plan", func(ctx context.Context) error {
			defer close(queue)
			for p, err := range pieces {
				if planErr = err; err != nil {
					return nil
				}
				if err := room.Acquire(ctx, p.held); err != nil {
					return err
				}
				held += p.held
				select {
				case queue <- p:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				g.Go("", func(ctx context.Context) error {
					defer close(p.ready)
					fetch(ctx, p)
					return nil
				})
			}
			return nil
		})
		for p := range queue {
			select {
			case <-p.ready:
			case <-g.Context().Done():
				return context.Cause(g.Context())
			}
			if emitErr = emit(g.Context(), p); emitErr != nil {
				return emitErr
			}
			room.Release(p.held)
			freed += p.held
			p.buf = nil
		}
		return nil
	})
	room.Release(held - freed) // every task has ended
	switch {
	case emitErr != nil:
		return emitErr
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case planErr != nil:
		return planErr
	}
	return err
}
