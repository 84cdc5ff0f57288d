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
	return (&catRun{recorder: newRecorder("cat", opts), w: w}).run(ctx, src)
}

// CatRange is [Cat] for a part of each object: length bytes from the offset
// off on, fewer where the object ends before; 0 means to its end. A negative
// off counts from the end. Where the part is larger than what is read ahead
// for one object, it comes from one request.
func CatRange(ctx context.Context, w io.Writer, src iter.Seq2[Object, error], off, length int64, opts *Options) (Summary, error) {
	if length < 0 {
		return Summary{}, fault.New("cat", "", fault.Invalid, fmt.Errorf("a length of %d bytes", length))
	}
	c := &catRun{recorder: newRecorder("cat", opts), w: w, part: &byteRange{off, length}}
	return c.run(ctx, src)
}

// A byteRange is a part of an object, as [fsys.OpenOptions] have it.
type byteRange struct{ off, length int64 }

// run does the work of Cat.
func (c *catRun) run(ctx context.Context, src iter.Seq2[Object, error]) (Summary, error) {
	// One half is for heads, the other for the ranges of the object that is
	// being written: were they to share, heads could fill it all and wait for
	// an object that waits for room.
	half := max(c.opts.Window/2, 1)
	c.head, c.guess, c.rangeBytes = min(headBytes, half), min(guessBytes, half), min(rangeBytes, half)
	heads := func(yield func(*piece, error) bool) {
		for o, err := range src {
			if err != nil {
				yield(nil, err)
				return
			}
			c.begin(1, c.want(o.size()))
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
	w                       io.Writer
	head, guess, rangeBytes int64
	part                    *byteRange // what is wanted of each object; nil is all
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
	if c.part != nil {
		return c.headOfPart(p)
	}
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

// headOfPart plans the request for the part that is wanted, when it is small
// enough to be read ahead; else nothing is, and asked stays 0.
func (c *catRun) headOfPart(p *piece) *piece {
	n := c.want(p.obj.size())
	if n < 0 && c.part.length == 0 || n > c.head || c.part.length > c.head {
		return p
	}
	p.off, p.held = c.part.off, n
	if n < 0 {
		p.held = c.part.length
	}
	p.asked = p.held
	return p
}

// want returns how many bytes of an object of some size are wanted, or -1
// when that depends on a size that is not known.
func (c *catRun) want(size int64) int64 {
	r := c.part
	switch {
	case r == nil:
		return size
	case size < 0 && r.off < 0 && r.length == 0:
		return -r.off
	case size < 0:
		return -1
	}
	off := r.off
	if off < 0 {
		off = max(size+off, 0)
	}
	n := max(size-off, 0)
	if r.length > 0 {
		n = min(n, r.length)
	}
	return n
}

// fetchHead reads the beginning of an object into memory.
func (c *catRun) fetchHead(ctx context.Context, p *piece) {
	if c.part != nil {
		p.err = c.fetchPart(ctx, p)
		return
	}
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

// fetchPart reads a small part into memory. Nothing is read ahead of a large
// one.
func (c *catRun) fetchPart(ctx context.Context, p *piece) error {
	if p.asked == 0 {
		return nil
	}
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return err
	}
	defer task.Requests().Release(1)
	in, err := p.obj.FS.Open(ctx, p.obj.Path, &fsys.OpenOptions{Offset: p.off, Length: p.asked})
	if err != nil {
		return err
	}
	defer in.Close()
	p.buf, err = io.ReadAll(io.LimitReader(in, p.asked))
	c.opts.Progress.bytes.Add(int64(len(p.buf)))
	p.whole = true
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
	case c.part != nil:
		n, err = c.stream(ctx, p.obj)
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
	err = inOrder(ctx, c.opts.Jobs, task.NewBudget(c.rangeBytes*max(1, c.opts.Window/2/c.rangeBytes)),
		ranges(p.obj, int64(len(p.buf)), p.entry.Size, c.rangeBytes), fetch,
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

// stream writes all of an object, or the part that is wanted, from one
// request.
func (c *catRun) stream(ctx context.Context, o Object) (n int64, err error) {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer task.Requests().Release(1)
	var opts fsys.OpenOptions
	if c.part != nil {
		opts.Offset, opts.Length = c.part.off, c.part.length
	}
	r, err := o.FS.Open(ctx, o.Path, &opts)
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
		switch size := c.want(r.Entry().Size); {
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
				g.Go(p.obj.Path, func(ctx context.Context) error {
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
