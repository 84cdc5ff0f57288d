package tarfs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	t, err := f.held.Get(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	it, err := t.index.FindFile("open", path)
	if err != nil {
		return nil, err
	}
	if it.Data.why != "" {
		return nil, fault.New("open", path, it.Data.kind, errors.New(it.Data.why))
	}
	if opts.Version != "" && opts.Version != it.Version {
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	off, n := archive.Span(it.Size, opts)
	if n == 0 {
		return archive.NewReader(ctx, it.Entry, nil, 0, nil, nil), nil
	}
	var r driver.Reader
	if t.codec == nil {
		r, err = t.openPlain(ctx, it, off, n)
	} else {
		r, err = t.openPacked(ctx, it, off, n)
	}
	if err != nil {
		f.held.Noticed(t.src, err)
		return nil, archive.Dress("open", path, err)
	}
	return r, nil
}

func (t *table) openPlain(ctx context.Context, it *archive.Item[member], off, n int64) (driver.Reader, error) {
	src, err := t.src.Open(ctx, it.Data.data+off, n)
	if err != nil {
		return nil, err
	}
	return archive.NewReader(ctx, it.Entry, src, n, nil, src.Close), nil
}

func (t *table) openPacked(ctx context.Context, it *archive.Item[member], off, n int64) (driver.Reader, error) {
	at := it.Data.data + off
	c := t.spare.take(at)
	if c == nil {
		var err error
		if c, err = t.newCursor(ctx); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, c.cancel)
	r := archive.NewReader(ctx, it.Entry, c, n, nil, func() error {
		if !stop() || !t.spare.put(c) {
			c.close()
		}
		return nil
	})
	if _, err := io.CopyN(io.Discard, c, at-c.pos); err != nil {
		_ = r.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return r, nil
}

// A cursor is a place in the unpacked archive that moves forwards. It
// outlives the request that began it, and has a context of its own.
type cursor struct {
	dec    io.Reader
	pos    int64
	err    error
	cancel context.CancelFunc
	free   func()
	expire *time.Timer
}

func (t *table) newCursor(ctx context.Context) (*cursor, error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	body, err := t.src.Open(own, 0, -1)
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	dec, free, err := t.codec.open(bufio.NewReaderSize(body, 256<<10))
	if err != nil {
		_ = body.Close()
		cancel()
		return nil, err
	}
	return &cursor{dec: dec, cancel: cancel, free: func() {
		free()
		_ = body.Close()
		cancel()
	}}, nil
}

// Read implements io.Reader.
func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.dec.Read(p)
	c.pos += int64(n)
	c.err = err
	return n, err
}

func (c *cursor) close() { c.free() }

const (
	// spareCursors is how many readers' places are kept.
	spareCursors = 4
	// spareTime is for how long: servers close connections that idle.
	spareTime = 10 * time.Second
)

// spare keeps cursors that nobody reads from. The zero value is ready.
type spare struct {
	mu     sync.Mutex
	list   []*cursor
	closed bool
}

// take returns the cursor that is nearest before pos, or nil.
func (s *spare) take(pos int64) *cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, c := range s.list {
		if c.pos <= pos && (best < 0 || c.pos > s.list[best].pos) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return s.remove(best)
}

func (s *spare) remove(i int) *cursor {
	c := s.list[i]
	s.list = append(s.list[:i], s.list[i+1:]...)
	c.expire.Stop()
	return c
}

// put keeps c unless it is broken. The oldest goes when there are too many.
func (s *spare) put(c *cursor) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.err != nil || s.closed {
		return false
	}
	if len(s.list) == spareCursors {
		s.remove(0).close()
	}
	s.list = append(s.list, c)
	c.expire = time.AfterFunc(spareTime, func() { s.drop(c) })
	return true
}

// drop closes c if it is still there.
func (s *spare) drop(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		if s.list[i] == c {
			s.remove(i).close()
			return
		}
	}
}

// close closes all, and what comes later.
func (s *spare) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.list) > 0 {
		s.remove(0).close()
	}
	s.closed = true
}
