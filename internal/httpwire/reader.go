package httpwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// drainBytes is how much of a body that is not wanted is still read, so that
// its connection can serve again. It is small enough to have arrived already.
const drainBytes = 4 << 10

// A Reader reads a response body, or a part of it, as a [driver.Reader]. It
// belongs to one goroutine.
type Reader struct {
	ctx   context.Context // of the one request the body belongs to
	entry driver.Entry
	body  io.ReadCloser
	left  int64 // bytes still to hand out; -1: until the end
	sure  bool  // left bytes must come; else the end may come earlier
	err   error // sticky
}

// NewReader returns a Reader of n bytes of body, or of all of it when n is
// negative. With exact set, an end before n bytes is an error of kind
// [fault.Unavailable]. A nil body reads as empty.
func NewReader(ctx context.Context, entry driver.Entry, body io.ReadCloser, n int64, exact bool) *Reader {
	if body == nil {
		body, n = io.NopCloser(strings.NewReader("")), 0
	}
	return &Reader{ctx: ctx, entry: entry, body: body, left: n, sure: exact}
}

// Entry describes the object as it was when the request was answered.
func (r *Reader) Entry() driver.Entry { return r.entry }

// Read reads the next bytes. It blocks until some arrive, the connection
// stalls for too long or the context of the request ends.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left == 0 {
		r.err = io.EOF
		return 0, io.EOF
	}
	if r.left > 0 && int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.body.Read(p)
	if r.left > 0 {
		r.left -= int64(n)
	}
	if err != nil {
		r.err = r.end(err)
		if r.err == io.EOF && n > 0 {
			return n, nil
		}
		return n, r.err
	}
	return n, nil
}

// end says what the end of the body means.
func (r *Reader) end(err error) error {
	if err == io.EOF {
		if r.left <= 0 || !r.sure {
			return io.EOF
		}
		err = fmt.Errorf("connection ended with %d bytes still to come: %w", r.left, io.ErrUnexpectedEOF)
	}
	return &fault.Error{Op: "read", Path: r.entry.Path, Kind: KindOf(r.ctx, err), Err: err}
}

// Close ends the request. A second call does nothing.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	if r.left == 0 {
		Drain(r.body)
	} else {
		_ = r.body.Close()
	}
	r.body = nil
	r.err = &fault.Error{Op: "read", Path: r.entry.Path, Kind: fault.Invalid, Err: errors.New("reader is closed")}
	return nil
}

// Drain closes a response body, after reading a little more of it: at its
// end the connection can be used again.
func Drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, drainBytes)
	_ = body.Close()
}

// A Range is a parsed Content-Range header.
type Range struct {
	First, Last int64 // inclusive; -1 in an answer "bytes */size"
	Size        int64 // of the whole object; -1 when not said
}

// ParseRange parses a Content-Range header: "bytes 0-9/100", "bytes 0-9/*"
// or "bytes */100".
func ParseRange(s string) (Range, bool) {
	unit, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return Range{}, false
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return Range{}, false
	}
	r := Range{First: -1, Last: -1, Size: -1}
	if size != "*" {
		if r.Size, ok = number(size); !ok {
			return Range{}, false
		}
	}
	if span == "*" {
		return r, r.Size >= 0
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return Range{}, false
	}
	var ok1, ok2 bool
	r.First, ok1 = number(first)
	r.Last, ok2 = number(last)
	if !ok1 || !ok2 || r.Last < r.First || (r.Size >= 0 && r.Last >= r.Size) {
		return Range{}, false
	}
	return r, true
}

// number parses a decimal without sign.
func number(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// RangeHeader returns the Range header for opts, or "" for the whole object.
// A negative offset asks for that many last bytes; the length is then for
// the reader to keep.
func RangeHeader(opts driver.OpenOptions) string {
	switch {
	case opts.Offset < 0:
		return fmt.Sprintf("bytes=%d", opts.Offset)
	case opts.Length > 0:
		return fmt.Sprintf("bytes=%d-%d", opts.Offset, lastByte(opts))
	case opts.Offset > 0:
		return fmt.Sprintf("bytes=%d-", opts.Offset)
	}
	return ""
}

// lastByte is the last byte asked for, where a length was given.
func lastByte(opts driver.OpenOptions) int64 {
	if opts.Length > math.MaxInt64-opts.Offset {
		return math.MaxInt64 - 1
	}
	return opts.Offset + opts.Length - 1
}

// Covers reports whether got is an answer to the range that opts asked for:
// it starts at the right byte and ends where it should.
func (got Range) Covers(opts driver.OpenOptions) bool {
	if got.First < 0 {
		return false
	}
	if opts.Offset < 0 {
		if got.Size < 0 {
			return got.Last-got.First < -opts.Offset
		}
		return got.First == max(0, got.Size+opts.Offset) && got.Last == got.Size-1
	}
	if got.First != opts.Offset {
		return false
	}
	want := int64(-1) // the last byte asked for
	if opts.Length > 0 {
		want = lastByte(opts)
	}
	if got.Size >= 0 && (want < 0 || want >= got.Size) {
		want = got.Size - 1
	}
	return want < 0 || got.Last == want
}
