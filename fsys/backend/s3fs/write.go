package s3fs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

const (
	tries        = 3               // of each request of a writer
	abortTimeout = 5 * time.Second // for telling the service to forget an upload
)

var errEnded = errors.New("the writer was committed or aborted already")

// Create starts to write an object. The whole write ends when ctx does.
// Nothing is sent before Commit or the end of the first part.
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if err := f.changeable(path); err != nil {
		return nil, &fault.Error{Op: "create", Path: path, Kind: fault.Invalid, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.New("create", path, fault.Unknown, err)
	}
	w := &writer{f: f, ctx: ctx, path: path, opts: opts, partBytes: partSize(f.s.PartBytes, opts.SizeHint)}
	return w, nil
}

// partSize returns the size of the first parts of an object.
func partSize(base, hint int64) int64 {
	const mib = 1 << 20
	need := hint/(maxParts*9/10) + 1 // room for a hint that is a little low
	if need <= base {
		return base
	}
	return min((need+mib-1)/mib*mib, maxPartBytes)
}

// A writer writes one object.
type writer struct {
	f         *FS
	ctx       context.Context // of the one write
	path      string
	opts      driver.CreateOptions
	partBytes int64 // of the first parts

	buf    []byte
	pooled bool    // buf is of the pool
	size   int64   // written so far
	up     *upload // nil until the first part is full
	err    error   // sticky
	ended  bool
}

// Write takes p into the current part; when that is full it is uploaded in
// the background. It blocks while all upload slots are busy.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.fail("write", errEnded)
	}
	n := 0
	for w.err == nil && n < len(p) {
		limit := w.limit()
		if int64(len(w.buf)) == limit {
			w.err = w.flush()
			continue
		}
		take := int(min(int64(len(p)-n), limit-int64(len(w.buf))))
		w.grow(take, limit)
		w.buf = append(w.buf, p[n:n+take]...)
		w.size += int64(take)
		n += take
	}
	if w.err != nil {
		return n, w.fail("write", w.err)
	}
	return n, nil
}

// limit returns the size of the part that is being filled.
func (w *writer) limit() int64 {
	if w.up == nil {
		return w.partBytes
	}
	return min(w.partBytes*int64(1+w.up.started/150), maxPartBytes)
}

// grow makes room for n bytes more. Small objects get small buffers; what
// grows to a quarter of a part gets a whole one, from the pool.
func (w *writer) grow(n int, limit int64) {
	need := int64(len(w.buf) + n)
	if need <= int64(cap(w.buf)) {
		return
	}
	var b []byte
	fromPool := false
	switch hint := max(need, min(w.opts.SizeHint, limit)); {
	case w.up == nil && hint <= limit/4:
		b = make([]byte, 0, min(max(hint, 2*int64(cap(w.buf)), 4<<10), limit))
	case limit == w.f.s.PartBytes:
		b, fromPool = *w.f.parts.Get().(*[]byte), true
	default:
		b = make([]byte, 0, limit)
	}
	w.buf, w.pooled = append(b[:0], w.buf...), fromPool
}

// flush hands the full part to the upload, which is started first where
// there is none.
func (w *writer) flush() error {
	if w.up == nil {
		up, err := w.f.startUpload(w.ctx, w.path)
		if err != nil {
			return err
		}
		w.up = up
	}
	buf, pooled := w.buf, w.pooled
	w.buf, w.pooled = nil, false
	return w.up.put(buf, func() { w.f.recycle(buf, pooled) })
}

// recycle gives a buffer back to the pool it came from.
func (f *FS) recycle(buf []byte, pooled bool) {
	if pooled {
		buf = buf[:0]
		f.parts.Put(&buf)
	}
}

// Commit publishes the object.
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	if w.ended {
		return driver.Entry{}, w.fail("commit", errEnded)
	}
	w.ended = true
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	var e driver.Entry
	err := w.err
	switch {
	case err != nil:
	case w.up == nil:
		e, err = w.putWhole(ctx)
	default:
		e, err = w.complete(ctx)
	}
	w.release()
	if err != nil {
		// Also when the answer to a completion got lost: by then there is
		// either no upload to abort or no object.
		if w.up != nil {
			_ = w.up.abort()
		}
		return driver.Entry{}, w.fail("commit", err)
	}
	return e, nil
}

// Abort gives up the object and waits until its upload is gone.
func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.release()
	if w.up == nil {
		return nil
	}
	if err := w.up.abort(); err != nil {
		return w.fail("abort", err)
	}
	return nil
}

func (w *writer) release() {
	w.f.recycle(w.buf, w.pooled)
	w.buf, w.pooled = nil, false
}

// putWhole writes the object with one request.
func (w *writer) putWhole(ctx context.Context) (driver.Entry, error) {
	sum := md5.Sum(w.buf)
	q := &request{
		op: "commit", path: w.path, method: "PUT", key: w.path, body: w.buf,
		header: map[string]string{"Content-Md5": contentMD5(w.buf)}, once: w.opts.Exclusive,
	}
	if q.body == nil {
		q.body = []byte{}
	}
	w.exclusive(q)
	var h http.Header
	err := w.f.retry(ctx, w.opts.Exclusive, func() (err error) {
		h, err = w.f.c.call(ctx, q, nil)
		return err
	})
	if err != nil {
		return driver.Entry{}, w.exists(err)
	}
	e := w.entry(h.Get("Etag"))
	if e.Version == "" {
		e.Version = hex.EncodeToString(sum[:])
	}
	return e, nil
}

// complete writes the last part and makes the parts an object.
func (w *writer) complete(ctx context.Context) (driver.Entry, error) {
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return driver.Entry{}, err
		}
	}
	tag, err := w.up.complete(ctx, w)
	if err != nil {
		return driver.Entry{}, w.exists(err)
	}
	return w.entry(tag), nil
}

// exclusive adds the condition that nothing is at the path.
func (w *writer) exclusive(q *request) {
	if w.opts.Exclusive {
		if q.header == nil {
			q.header = map[string]string{}
		}
		q.header["If-None-Match"] = "*"
	}
}

// exists turns a failed condition into what it means to the caller.
func (w *writer) exists(err error) error {
	if w.opts.Exclusive && fault.KindOf(err) == fault.Changed {
		return &fault.Error{Op: "commit", Path: w.path, Kind: fault.Exist}
	}
	return err
}

// entry describes the object just written. The service tells the time of the
// change only to who asks again.
func (w *writer) entry(etag string) driver.Entry {
	return driver.Entry{Path: w.path, Kind: driver.File, Size: w.size, Version: version(etag)}
}

func (w *writer) fail(op string, err error) error {
	return fault.New(op, w.path, fault.Unknown, err)
}

// retry calls fn until it succeeds, fails for good or has failed three
// times. With refusedOnly set it is called again only after an answer that
// says the request was not carried out.
func (f *FS) retry(ctx context.Context, refusedOnly bool, fn func() error) error {
	for n := 1; ; n++ {
		err := fn()
		kind := fault.KindOf(err)
		again := kind.Temporary() || kind == fault.Corrupt // damaged on the way
		if refusedOnly {
			again = kind == fault.Throttled || hasCode(err, "ConditionalRequestConflict")
		}
		if err == nil || !again || n == tries || ctx.Err() != nil {
			return err
		}
		var e *fault.Error
		wait := time.Duration(n*n) * 100 * time.Millisecond
		if errors.As(err, &e) && e.RetryAfter > 0 {
			wait = min(e.RetryAfter, 30*time.Second)
		}
		if werr := f.wait(ctx, wait); werr != nil {
			return fmt.Errorf("%w (while waiting to try again after: %w)", werr, err)
		}
	}
}

// wait blocks for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
