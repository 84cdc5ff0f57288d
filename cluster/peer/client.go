package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
)

const (
	maxConnsPerHost = 8
	dialTimeout     = 3 * time.Second
	defaultStall    = 10 * time.Second
	defaultTries    = 3
	firstBackoff    = 50 * time.Millisecond
	// eagerBytes bounds what is allocated on the word of a peer before its
	// bytes arrive.
	eagerBytes = 1 << 20
)

// ClientOptions tunes [NewClient].
type ClientOptions struct {
	// Token is shown to all peers.
	Token string
	// Own is the store of this process, and OwnAddr the address of its
	// server: what is asked of that address, or of the empty one, is
	// answered from Own without a connection.
	Own     *Store
	OwnAddr string
	// Stall is how long a peer may send nothing before the request fails; 0
	// means 10 s.
	Stall time.Duration
	// Tries is how often a request is sent that brings nothing before it
	// fails; 0 means 3. Bytes that arrive set the count back.
	Tries int
}

// A Client fetches values from peers and puts them there. It is safe for
// concurrent use.
type Client struct {
	opts ClientOptions
	tr   *http.Transport
}

// NewClient returns a client; it makes no connection. A nil opts means the
// defaults. The caller closes it.
func NewClient(opts *ClientOptions) *Client {
	c := &Client{}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Stall == 0 {
		c.opts.Stall = defaultStall
	}
	if c.opts.Tries == 0 {
		c.opts.Tries = defaultTries
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	c.tr = &http.Transport{
		DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxConnsPerHost: maxConnsPerHost, MaxIdleConnsPerHost: maxConnsPerHost,
		IdleConnTimeout: idleTimeout, DisableCompression: true, Protocols: protocols,
		ReadBufferSize: copyBufferBytes, WriteBufferSize: copyBufferBytes,
	}
	return c
}

// Close closes idle connections. Requests under way go on.
func (c *Client) Close() { c.tr.CloseIdleConnections() }

// readN reads n bytes. Memory grows as they arrive: n is the word of a peer.
func readN(r io.Reader, n int64) ([]byte, error) {
	if n <= eagerBytes {
		data := make([]byte, n)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, short(err)
		}
		return data, nil
	}
	buf := bytes.NewBuffer(make([]byte, 0, eagerBytes))
	if _, err := io.CopyN(buf, r, n); err != nil {
		return nil, short(err)
	}
	return buf.Bytes(), nil
}

// short makes an end that came too early an error.
func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// own reports whether addr means the store of this process.
func (c *Client) own(addr string) bool {
	return c.opts.Own != nil && (addr == "" || addr == c.opts.OwnAddr)
}

// Get returns the value of key at the peer, complete and checked. It must not
// be changed: it may be the store's own.
func (c *Client) Get(ctx context.Context, addr, key string) ([]byte, error) {
	if c.own(addr) {
		return c.opts.Own.Get(key)
	}
	b, err := c.Fetch(ctx, addr, key)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data, err := readN(b, b.Size())
	if err == nil {
		_, err = b.Read(make([]byte, 1)) // the checksum is compared at the end
	}
	if err != io.EOF {
		return nil, err
	}
	return data, nil
}

// Put stores data as the value of key at the peer, in place of any other.
func (c *Client) Put(ctx context.Context, addr, key string, data []byte) error {
	if c.own(addr) {
		return c.opts.Own.Put(key, data)
	}
	if err := checkKey("put", key); err != nil {
		return err
	}
	req := request{op: "put", method: http.MethodPut, addr: addr, key: key, path: pathOf(key), body: data,
		header: http.Header{sumHeader: {formatSum(crc32.Checksum(data, castagnoli))}}}
	return c.retry(ctx, &req, func() error {
		resp, err := c.send(ctx, &req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		return nil
	})
}

// retry calls fn until it succeeds, fails for good, or failed Tries times.
func (c *Client) retry(ctx context.Context, req *request, fn func() error) error {
	wait := firstBackoff
	for try := 1; ; try++ {
		err := fn()
		if err == nil || try >= c.opts.Tries || !again(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return req.fail(context.Cause(ctx))
		case <-time.After(wait):
		}
		wait *= 4
	}
}

// again reports whether another try makes sense: not after a stall, which
// took long enough.
func again(err error) bool { return fault.KindOf(err) == fault.Unavailable }

// A request is what is asked of a peer.
type request struct {
	op, method, addr, key, path string
	header                      http.Header
	body                        []byte
}

// fail dresses an error of the request. What has no kind came from the
// connection: refused, broken, or not HTTP.
func (r *request) fail(err error) error {
	kind := fault.KindOf(err)
	if kind == fault.Unknown {
		kind = fault.Unavailable
	}
	e := fault.New(r.op, r.key, kind, err)
	e.Origin = r.addr
	return e
}

// errStalled ends a request whose peer sends nothing.
var errStalled = fault.New("", "", fault.Timeout, errors.New("the peer sends nothing"))

// send sends the request once and returns the answer when it is a success.
// Closing the body of the answer releases everything. Reads of the body fail
// when the peer stalls.
func (c *Client) send(ctx context.Context, r *request) (*http.Response, error) {
	reqCtx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(reqCtx, r.method, "http://"+r.addr+r.path, bytes.NewReader(r.body))
	if err != nil {
		cancel(nil)
		return nil, fault.New(r.op, r.key, fault.Invalid, fmt.Errorf("address %q: %w", r.addr, err))
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	// What is sent counts as progress too, at a rate any network has.
	stall := c.opts.Stall + time.Duration(len(r.body)/slowBytes)*time.Second
	timer := time.AfterFunc(stall, func() { cancel(errStalled) })
	resp, err := c.tr.RoundTrip(req)
	if err != nil {
		timer.Stop()
		cancel(nil)
		if cause := context.Cause(reqCtx); cause == error(errStalled) || ctx.Err() != nil && cause != nil {
			err = cause
		}
		return nil, r.fail(err)
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, ctx: reqCtx, cancel: cancel, timer: timer, stall: c.opts.Stall}
	if err := r.status(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// status returns nil for a success, else an error of the kind that the
// status has.
func (r *request) status(resp *http.Response) error {
	kind := fault.Unavailable
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusNotFound:
		kind = fault.NotExist
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		kind = fault.Permission
	case code == http.StatusPreconditionFailed, code == http.StatusRequestedRangeNotSatisfiable:
		kind = fault.Changed
	case code == http.StatusInsufficientStorage:
		kind = fault.NoSpace
	case code/100 != 5:
		kind = fault.Invalid
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	e := fault.New(r.op, r.key, kind, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text))))
	e.Origin = r.addr
	return e
}

// watchedBody fails reads when nothing arrives for stall.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

// Read implements io.Reader. The watch is on during the read only: a caller
// who takes its time is not the fault of the peer.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}
