package httpwire

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Options tunes [NewTransport].
type Options struct {
	// MaxConns bounds the connections to one host, idle ones included. The
	// default is 512; a request beyond it waits for a free connection.
	MaxConns int
	// DialTimeout bounds connecting, the name look-up included. The default
	// is 5 s.
	DialTimeout time.Duration
	// StallTimeout breaks a connection on which an answer is awaited and no
	// byte has moved either way for this long. The default is 60 s.
	StallTimeout time.Duration
}

func (o *Options) withDefaults() Options {
	var v Options
	if o != nil {
		v = *o
	}
	if v.MaxConns <= 0 {
		v.MaxConns = 512
	}
	if v.DialTimeout <= 0 {
		v.DialTimeout = 5 * time.Second
	}
	if v.StallTimeout <= 0 {
		v.StallTimeout = time.Minute
	}
	return v
}

// NewTransport returns a transport for many small requests to few hosts.
// The caller ends its idle connections with CloseIdleConnections.
func NewTransport(opts *Options) *http.Transport {
	o := opts.withDefaults()
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: c, stall: o.StallTimeout}, nil
		},
		TLSHandshakeTimeout:    o.DialTimeout,
		MaxConnsPerHost:        o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		MaxIdleConns:           2 * o.MaxConns,
		IdleConnTimeout:        30 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		DisableCompression:     true,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
	}
	// One connection a request: HTTP/2 would put all of them on one TCP
	// stream, which is slower for bulk data.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// A watchedConn fails a read once nothing has been read or written for the
// stall time. A read is pending all the time a response is awaited, so
// writes have to push its deadline on as well.
type watchedConn struct {
	net.Conn
	stall time.Duration
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
