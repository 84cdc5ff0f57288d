package bulk

import (
	"context"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

const (
	// partsFrom is the size from which an object is read in ranges side by
	// side: one stream of a store far away is slower than the line.
	partsFrom = 64 << 20
	// partBytes is the size of a range. At 20 ms a request, eight of them in
	// flight are 3 GB/s.
	partBytes = 8 << 20
	// partsAtOnce bounds the ranges of one object in flight.
	partsAtOnce = 8
)

// inParts reports whether an item is worth it, and can be tied to one
// version. Local files are read fast enough by one.
func (c *copyRun) inParts(st Step) bool {
	_, local := st.Src.FS.LocalPath("")
	return !local && st.Src.Entry.Version != "" && st.Src.size() >= partsFrom
}

// parts copies a large object through this process: ranges of the listed
// version are read side by side and written in order. A back end that
// uploads in parts does that side by side too.
func (c *copyRun) parts(ctx context.Context, st Step) (n int64, err error) {
	size := st.Src.size()
	defer func() {
		if err != nil {
			c.opts.Progress.bytes.Add(-n)
		}
	}()
	w, err := c.create(ctx, st.Dst, size)
	if err != nil {
		return 0, err
	}
	defer w.Abort()
	to, h := c.hashed(w)
	fetch := func(ctx context.Context, p *piece) {
		p.err = c.fetch(ctx, p, st.Src.Entry.Version)
		c.opts.Progress.bytes.Add(-int64(len(p.buf))) // counted when written
	}
	err = inOrder(ctx, partsAtOnce, c.window, ranges(st.Src, 0, size, min(partBytes, c.window.Size())), fetch,
		func(ctx context.Context, p *piece) error {
			if p.err != nil {
				return p.err
			}
			if err := task.Requests().Acquire(ctx, 1); err != nil {
				return err
			}
			defer task.Requests().Release(1)
			k, err := to.Write(p.buf)
			n += int64(k)
			c.opts.Progress.bytes.Add(int64(k))
			return err
		})
	if err != nil {
		return n, err
	}
	e, err := c.finishParts(ctx, w, st, n)
	if err == nil && c.opts.Verify {
		err = c.verify(ctx, st.Src, Object{st.Dst, e}, hexSum(h))
	}
	return n, err
}

func (c *copyRun) finishParts(ctx context.Context, w fsys.Writer, st Step, n int64) (fsys.Entry, error) {
	if n != st.Src.size() {
		return fsys.Entry{}, fault.New(c.op, st.Src.URL(), fault.Changed, nil)
	}
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return fsys.Entry{}, err
	}
	defer task.Requests().Release(1)
	return c.commit(ctx, w, st.Dst, n)
}
