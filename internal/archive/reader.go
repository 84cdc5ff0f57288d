package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// A Reader hands out a part of a member as a [driver.Reader]. It belongs to
// one goroutine.
type Reader struct {
	ctx   context.Context // of the one request
	entry driver.Entry
	src   io.Reader
	close func() error
	left  int64
	atEnd func() error
	err   error // sticky
}

// NewReader returns a Reader of the n bytes that src begins with; an earlier
// end is [fault.Corrupt]. When they have come and atEnd is not nil, it has
// the last word: it checks a sum, say. close may be nil.
func NewReader(ctx context.Context, e driver.Entry, src io.Reader, n int64, atEnd, close func() error) *Reader {
	return &Reader{ctx: ctx, entry: e, src: src, left: n, atEnd: atEnd, close: close}
}

// Entry describes the member.
func (r *Reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.ctx.Err() != nil:
		r.err = fault.New("read", r.entry.Path, fault.KindOf(r.ctx.Err()), context.Cause(r.ctx))
		return 0, r.err
	case r.left == 0:
		r.err = io.EOF
		if r.atEnd != nil {
			if err := r.atEnd(); err != nil {
				r.err = Dress("read", r.entry.Path, err)
			}
		}
		return 0, r.err
	case int64(len(p)) > r.left:
		p = p[:r.left]
	}
	n, err := r.src.Read(p)
	r.left -= int64(n)
	if err == io.EOF {
		if r.left == 0 {
			return n, nil // the next call says how it ended
		}
		err = fmt.Errorf("the member ends %d bytes early: %w", r.left, io.ErrUnexpectedEOF)
	}
	if err != nil {
		r.err = Dress("read", r.entry.Path, err)
		if r.ctx.Err() != nil {
			r.err = fault.New("read", r.entry.Path, fault.KindOf(r.ctx.Err()), context.Cause(r.ctx))
		}
	}
	return n, r.err
}

// Close implements io.Closer. A second call does nothing.
func (r *Reader) Close() error {
	c := r.close
	r.close, r.atEnd, r.src = nil, nil, emptyReader{}
	r.err = &fault.Error{Op: "read", Path: r.entry.Path, Kind: fault.Invalid, Err: errors.New("the reader is closed")}
	if c == nil {
		return nil
	}
	if err := c(); err != nil {
		return Dress("close", r.entry.Path, err)
	}
	return nil
}

// Dress returns err as an error about path. What no store said comes from
// the bytes themselves: [fault.Corrupt].
func Dress(op, path string, err error) error {
	if e, ok := err.(*fault.Error); ok && e.Path == path {
		return e
	}
	var e *fault.Error
	if errors.As(err, &e) {
		return fault.New(op, path, fault.Unknown, err)
	}
	if k := fault.KindOf(err); k == fault.Canceled || k == fault.Timeout {
		return fault.New(op, path, k, err)
	}
	return fault.New(op, path, fault.Corrupt, err)
}

// Span returns where opts begins in an object of size bytes, and how many
// bytes it asks for.
func Span(size int64, opts driver.OpenOptions) (off, n int64) {
	off = opts.Offset
	if off < 0 {
		off = max(size+off, 0)
	}
	off = min(off, size)
	n = size - off
	if opts.Length > 0 {
		n = min(n, opts.Length)
	}
	return off, n
}
