package bulk

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/task"
)

// Copy runs a plan of [PlanCopy] and returns when all of it has ended. An
// item is copied inside its store where source and destination share one
// that can, else streamed; either way it appears at its destination complete
// or not at all, and with as many bytes as its source had.
//
// The error is nil when nothing failed, an [*ItemsError] when some items
// did, and otherwise what ended the run early: an error of the plan, or the
// cause of ctx. Copies under way when the plan breaks off are finished.
func Copy(ctx context.Context, plan iter.Seq2[Step, error], opts *Options) (Summary, error) {
	c := &copyRun{recorder: newRecorder("copy", opts)}
	err := each(ctx, c.recorder, plan, func(st Step) { c.begin(1, st.Src.size()) }, c.one)
	return c.finish(err)
}

// A named item lends its task a name that is at hand: making one for each of
// millions would cost more than most of them.
type named interface{ name() string }

func (st Step) name() string { return cmp.Or(st.Src.Path, st.Dst.Path) }

// each runs fn for every item of plan, Jobs at a time, and returns what
// ended the plan early. begin is told of each item as it is planned.
func each[T named](ctx context.Context, r *recorder, plan iter.Seq2[T, error], begin func(T), fn func(context.Context, T)) error {
	var planErr error
	err := task.Run(ctx, &task.Options{Name: r.op, Limit: r.opts.Jobs}, func(g *task.Group) error {
		for item, err := range plan {
			if err != nil {
				planErr = err
				return nil
			}
			begin(item)
			g.Go(item.name(), func(ctx context.Context) error {
				fn(ctx, item)
				return nil
			})
			if g.Context().Err() != nil {
				return nil
			}
		}
		r.opts.Progress.complete.Store(true)
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if planErr != nil {
		return planErr
	}
	return err
}

type copyRun struct {
	*recorder
	pin bool // copy only the version that was listed
}

// one copies one item and records how it ended.
func (c *copyRun) one(ctx context.Context, st Step) {
	ev := Event{Src: st.Src.Ref, Dst: st.Dst, Reason: st.Skip}
	if ev.Reason == "" {
		ev.Bytes, ev.Reason, ev.Err = c.copy(ctx, st)
	}
	if ev.Reason != "" {
		ev.Status = Skipped
	}
	c.end(ctx, ev)
}

// copy returns the bytes copied, or why nothing had to be.
func (c *copyRun) copy(ctx context.Context, st Step) (n int64, skip string, err error) {
	if st.Src.same(st.Dst) {
		return 0, "", fault.New(c.op, st.Src.URL(), fault.Refused, errors.New("source and destination are the same object"))
	}
	if c.opts.NoClobber {
		there, err := exists(ctx, st.Dst)
		if err != nil {
			return 0, "", err
		}
		if there {
			return 0, "exists", nil
		}
	}
	if sameFS(st.Src.FS, st.Dst.FS) {
		n, err = c.inside(ctx, st)
	} else {
		n, err = c.stream(ctx, st)
	}
	if c.opts.NoClobber && fault.KindOf(err) == fault.Exist {
		return 0, "exists", nil // another writer was quicker
	}
	if err == nil && c.opts.Times {
		err = keepTime(st)
	}
	return n, "", err
}

// keepTime gives a local copy the time of its source.
func keepTime(st Step) error {
	name, local := st.Dst.FS.LocalPath(st.Dst.Path)
	if t := st.Src.Entry.ModTime; local && !t.IsZero() {
		if err := os.Chtimes(name, time.Time{}, t); err != nil {
			return fault.New("set time", st.Dst.URL(), fault.Unknown, err)
		}
	}
	return nil
}

func exists(ctx context.Context, r Ref) (bool, error) {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer task.Requests().Release(1)
	_, err := r.FS.Stat(ctx, r.Path)
	if fault.KindOf(err) == fault.NotExist {
		return false, nil
	}
	return err == nil, err
}

// inside copies within one store, without moving the bytes through this
// process where the store can.
func (c *copyRun) inside(ctx context.Context, st Step) (int64, error) {
	d, ok := st.Src.FS.Driver().(driver.Copier)
	if !ok {
		return c.stream(ctx, st)
	}
	e, err := c.serverSide(ctx, d, st)
	if fault.KindOf(err) == fault.Unsupported {
		return c.stream(ctx, st)
	}
	if err != nil {
		return 0, err
	}
	if c.opts.Verify {
		if err := c.verify(ctx, st.Src, Object{st.Dst, e}, ""); err != nil {
			return 0, err
		}
	}
	n := max(e.Size, 0)
	c.opts.Progress.bytes.Add(n)
	return n, nil
}

func (c *copyRun) serverSide(ctx context.Context, d driver.Copier, st Step) (fsys.Entry, error) {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return fsys.Entry{}, err
	}
	defer task.Requests().Release(1)
	e, err := d.Copy(ctx, st.Src.Path, st.Dst.Path)
	if err != nil {
		if d, ok := err.(*fault.Error); ok && d.Path == st.Dst.Path {
			return e, dress("copy", st.Dst, err)
		}
		return e, dress("copy", st.Src.Ref, err)
	}
	if want := st.Src.size(); want < 0 || e.Size < 0 || e.Size == want {
		return e, nil
	}
	// Not the size that was listed: the source has changed since, or the
	// copy is wrong.
	now, err := st.Src.FS.Stat(ctx, st.Src.Path)
	if err != nil {
		return e, err
	}
	if now.Size != e.Size {
		return e, fault.New(c.op, st.Src.URL(), fault.Corrupt,
			fmt.Errorf("the copy has %d bytes, the source %d", e.Size, now.Size))
	}
	return e, nil
}

// dress puts the URL in place of the path in an error of a driver.
func dress(op string, r Ref, err error) error {
	var e *fault.Error
	if d, ok := err.(*fault.Error); ok && d.Path == r.Path {
		e = new(fault.Error)
		*e = *d
		e.Path = r.URL()
		return e
	}
	return fault.New(op, r.URL(), fault.Unknown, err)
}

// stream copies through this process in constant memory.
func (c *copyRun) stream(ctx context.Context, st Step) (n int64, err error) {
	if c.inParts(st) {
		return c.parts(ctx, st)
	}
	b := bufferFor(st.Src.size())
	if err := c.window.Acquire(ctx, b.bytes); err != nil {
		return 0, err
	}
	n, sum, e, err := c.through(ctx, st, b)
	c.window.Release(b.bytes)
	if err == nil && c.opts.Verify {
		err = c.verify(ctx, st.Src, Object{st.Dst, e}, sum)
	}
	if err != nil {
		c.opts.Progress.bytes.Add(-n) // they are not at the destination
	}
	return n, err
}

// through streams with one request that reads and one that writes. With
// Verify it returns the digest of what was written.
func (c *copyRun) through(ctx context.Context, st Step, b *bufferClass) (n int64, sum string, e fsys.Entry, err error) {
	requests := min(2, task.Requests().Size())
	if err := task.Requests().Acquire(ctx, requests); err != nil {
		return 0, "", e, err
	}
	defer task.Requests().Release(requests)
	r, err := st.Src.FS.Open(ctx, st.Src.Path, &fsys.OpenOptions{Version: c.version(st)})
	if err != nil {
		return 0, "", e, err
	}
	defer r.Close()
	size := r.Entry().Size
	w, err := c.create(ctx, st.Dst, size)
	if err != nil {
		return 0, "", e, err
	}
	defer w.Abort()
	to, h := c.hashed(w)
	if n, err = c.pump(ctx, to, r, size, b, c.opts.Progress); err != nil {
		return n, "", e, err
	}
	if size >= 0 && n != size {
		return n, "", e, fault.New(c.op, st.Src.URL(), fault.Unavailable,
			fmt.Errorf("%d of %d bytes came: %w", n, size, io.ErrUnexpectedEOF))
	}
	r.Close() // its connection is not needed while the store finishes
	e, err = c.commit(ctx, w, st.Dst, n)
	return n, hexSum(h), e, err
}

// version returns the version that an item is to be read in, or "".
func (c *copyRun) version(st Step) string {
	if c.pin {
		return st.Src.Entry.Version
	}
	return ""
}

// hashed returns a writer to w that also computes a digest, with Verify.
func (c *copyRun) hashed(w io.Writer) (io.Writer, hash.Hash) {
	if !c.opts.Verify {
		return w, nil
	}
	h := md5.New()
	return io.MultiWriter(w, h), h
}

func hexSum(h hash.Hash) string {
	if h == nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// commit publishes n bytes and checks that so many were stored.
func (c *copyRun) commit(ctx context.Context, w fsys.Writer, dst Ref, n int64) (fsys.Entry, error) {
	e, err := w.Commit(ctx)
	if err == nil && e.Size >= 0 && e.Size != n {
		err = fault.New(c.op, dst.URL(), fault.Corrupt, fmt.Errorf("%d of %d bytes were stored", e.Size, n))
	}
	return e, err
}

// create starts the write. A store that cannot decide NoClobber atomically
// has to do with the look that was taken before.
func (c *copyRun) create(ctx context.Context, dst Ref, size int64) (fsys.Writer, error) {
	opts := fsys.CreateOptions{Exclusive: c.opts.NoClobber, SizeHint: max(size, 0)}
	w, err := dst.FS.Create(ctx, dst.Path, &opts)
	if opts.Exclusive && fault.KindOf(err) == fault.Unsupported {
		opts.Exclusive = false
		w, err = dst.FS.Create(ctx, dst.Path, &opts)
	}
	return w, err
}

// pump moves bytes from r to w and counts them as they go. At most size
// bytes are taken, when it is known: a file that grows while it is copied
// gives what it had when it was opened. A nil prog is not told.
func (*recorder) pump(ctx context.Context, w io.Writer, r io.Reader, size int64, b *bufferClass, prog *Progress) (n int64, err error) {
	if size >= 0 {
		r = io.LimitReader(r, size)
	}
	buf := b.pool.Get().(*[]byte)
	defer b.pool.Put(buf)
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		m, rerr := r.Read(*buf)
		if m > 0 {
			k, werr := w.Write((*buf)[:m])
			n += int64(k)
			if prog != nil {
				prog.bytes.Add(int64(k))
			}
			if werr != nil {
				return n, werr
			}
			if k < m {
				return n, io.ErrShortWrite
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// Two sizes of buffer: one for streams, one so that thousands of small
// objects do not take a stream's share of the window each.
const (
	smallBuffer = 16 << 10
	largeBuffer = 256 << 10
)

type bufferClass struct {
	bytes int64
	pool  sync.Pool
}

func newBufferClass(bytes int64) *bufferClass {
	return &bufferClass{bytes: bytes, pool: sync.Pool{New: func() any {
		b := make([]byte, bytes)
		return &b
	}}}
}

var smallBuffers, largeBuffers = newBufferClass(smallBuffer), newBufferClass(largeBuffer)

func bufferFor(size int64) *bufferClass {
	if 0 <= size && size <= smallBuffer {
		return smallBuffers
	}
	return largeBuffers
}
