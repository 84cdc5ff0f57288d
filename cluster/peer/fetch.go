package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/http"
	"sync"

	"github.com/leat-dev/leat/fault"
)

// A Body is a value on its way from a peer. It goes on where a broken
// connection left off, and its last read returns [io.EOF] only after all
// bytes came and the checksum was right. It belongs to one goroutine.
type Body struct {
	c    *Client
	ctx  context.Context
	req  request
	body io.ReadCloser // nil between connections
	size int64
	off  int64
	tag  string
	want uint32
	sum  uint32
	err  error
}

// Fetch starts to read the value of key at the peer and returns when the
// answer begins. ctx governs the body too. The caller closes it.
func (c *Client) Fetch(ctx context.Context, addr, key string) (*Body, error) {
	if c.own(addr) {
		return c.fetchOwn(ctx, key)
	}
	if err := checkKey("get", key); err != nil {
		return nil, err
	}
	b := &Body{c: c, ctx: ctx, size: -1,
		req: request{op: "get", method: http.MethodGet, addr: addr, key: key, path: pathOf(key), header: http.Header{}}}
	if err := c.retry(ctx, &b.req, b.connect); err != nil {
		return nil, err
	}
	return b, nil
}

func (c *Client) fetchOwn(ctx context.Context, key string) (*Body, error) {
	r, err := c.opts.Own.Open(key)
	if err != nil {
		return nil, err
	}
	return &Body{c: c, ctx: ctx, req: request{op: "get", key: key}, body: r,
		size: r.info.Size, want: r.info.Sum}, nil
}

// Size returns the size of the whole value in bytes.
func (b *Body) Size() int64 { return b.size }

// connect asks for the rest of the value.
func (b *Body) connect() error {
	first := b.tag == ""
	if !first {
		b.req.header.Set("Range", fmt.Sprintf("bytes=%d-", b.off))
		b.req.header.Set("If-Match", b.tag)
	}
	resp, err := b.c.send(b.ctx, &b.req)
	if err != nil {
		return err
	}
	if err := b.accept(resp, first); err != nil {
		resp.Body.Close()
		return err
	}
	b.body = resp.Body
	return nil
}

// accept checks that the answer is what was asked for.
func (b *Body) accept(resp *http.Response, first bool) error {
	sum, ok, err := parseSum(resp.Header.Get(sumHeader))
	tag := resp.Header.Get("ETag")
	switch {
	case err != nil || !ok || tag == "" || resp.ContentLength < 0:
		return b.bad("the answer is not that of a leat worker: size, checksum or tag is missing")
	case first && resp.StatusCode == http.StatusOK:
		b.size, b.want, b.tag = resp.ContentLength, sum, tag
		return nil
	case first:
		return b.bad("the answer is a part of the value")
	case tag != b.tag || sum != b.want:
		return b.changed()
	case resp.StatusCode == http.StatusOK && b.off == 0 && resp.ContentLength == b.size:
		return nil
	case resp.StatusCode != http.StatusPartialContent || resp.ContentLength != b.size-b.off ||
		resp.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", b.off, b.size-1, b.size):
		return b.bad("the answer is not the part that was asked for")
	}
	return nil
}

func (b *Body) bad(text string) error {
	e := fault.New("get", b.req.key, fault.Corrupt, errors.New(text))
	e.Origin = b.req.addr
	return e
}

func (b *Body) changed() error {
	e := fault.New("get", b.req.key, fault.Changed, nil)
	e.Origin = b.req.addr
	return e
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, b.err
	}
	for b.err == nil {
		if b.off == b.size {
			b.err = b.finish()
			break
		}
		p = p[:min(int64(len(p)), b.size-b.off)]
		n, err := b.body.Read(p)
		b.off += int64(n)
		b.sum = crc32.Update(b.sum, castagnoli, p[:n])
		if err != nil && b.off < b.size {
			b.err = b.resume(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// WriteTo implements [io.WriterTo] with a buffer that is worth a system call.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	buf := bodyBuffers.Get().(*[]byte)
	defer bodyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{b}, *buf)
}

var bodyBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// finish checks the whole.
func (b *Body) finish() error {
	if b.sum != b.want {
		return b.bad(fmt.Sprintf("checksum %08x, want %08x", b.sum, b.want))
	}
	return io.EOF
}

// resume gets a new connection in place of one that broke with err.
func (b *Body) resume(err error) error {
	b.body.Close()
	b.body = nil
	err = b.req.fail(short(err))
	if b.req.addr == "" || !again(err) || b.ctx.Err() != nil {
		return err
	}
	return b.c.retry(b.ctx, &b.req, b.connect)
}

// Close releases the connection.
func (b *Body) Close() error {
	if b.err == nil {
		b.err = fault.New("get", b.req.key, fault.Invalid, errors.New("the body is closed"))
	}
	if b.body == nil {
		return nil
	}
	err := b.body.Close()
	b.body = nil
	return err
}

// GetMany returns the values of keys at the peer, in their order: a pair for
// each key, its error beside it when it could not be had. Values of a single
// request share a connection, so thousands of small ones cost little more
// than one. The values must not be changed.
func (c *Client) GetMany(ctx context.Context, addr string, keys []string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(keys) > 0 {
			n, size := 0, 0
			for n < len(keys) && n < maxFetchKeys && size+len(keys[n])+4 <= maxFetchBytes {
				size += len(keys[n]) + 4
				n++
			}
			n = max(n, 1)
			if !c.getSome(ctx, addr, keys[:n], yield) {
				return
			}
			keys = keys[n:]
		}
	}
}

// getSome yields the values of keys and reports whether to go on.
func (c *Client) getSome(ctx context.Context, addr string, keys []string, yield func([]byte, error) bool) bool {
	if c.own(addr) {
		for _, k := range keys {
			if !yield(c.opts.Own.Get(k)) {
				return false
			}
		}
		return true
	}
	for tries := 0; len(keys) > 0; tries++ {
		done, stopped, err := c.fetchFrames(ctx, addr, keys, yield)
		if stopped {
			return false
		}
		keys = keys[done:]
		if done > 0 {
			tries = 0
		}
		if err == nil || again(err) && tries+1 < c.opts.Tries && ctx.Err() == nil {
			continue
		}
		for range keys {
			if !yield(nil, err) {
				return false
			}
		}
		return true
	}
	return true
}

// fetchFrames sends one fetch and yields what comes. It returns how many keys
// were answered, and whether yield asked to stop.
func (c *Client) fetchFrames(ctx context.Context, addr string, keys []string, yield func([]byte, error) bool) (done int, stopped bool, err error) {
	req := request{op: "get", method: http.MethodPost, addr: addr, path: fetchPath}
	for _, k := range keys {
		if err := checkKey("get", k); err != nil {
			return 0, false, err
		}
		req.body = appendKey(req.body, k)
	}
	var resp *http.Response
	err = c.retry(ctx, &req, func() error { resp, err = c.send(ctx, &req); return err })
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	in := bufio.NewReaderSize(resp.Body, copyBufferBytes)
	for done < len(keys) {
		req.key = keys[done]
		data, valueErr, err := readValue(in, &req, uint32(done))
		if err != nil {
			return done, false, req.fail(err)
		}
		done++
		if !yield(data, valueErr) {
			return done, true, nil
		}
	}
	return done, false, nil
}

// readValue reads one frame. valueErr is about the key, err about the
// connection.
func readValue(in *bufio.Reader, req *request, index uint32) (data []byte, valueErr, err error) {
	f, err := readFrame(in)
	if err != nil {
		return nil, nil, err
	}
	bad := func(kind fault.Kind, text string) error {
		e := fault.New("get", req.key, kind, errors.New(text))
		e.Origin = req.addr
		return e
	}
	switch {
	case f.index != index || f.size > 1<<62:
		return nil, nil, bad(fault.Corrupt, "the frames of the answer are not in order")
	case f.status == statusAbsent:
		return nil, bad(fault.NotExist, "the peer does not have the key"), nil
	case f.status != statusOK:
		return nil, bad(fault.Unavailable, "the peer cannot read the value"), nil
	}
	if data, err = readN(in, int64(f.size)); err != nil {
		return nil, nil, err
	}
	if crc32.Checksum(data, castagnoli) != f.sum {
		return nil, bad(fault.Corrupt, "the checksum of the value is wrong"), nil
	}
	return data, nil, nil
}
