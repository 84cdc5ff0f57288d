package loop_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/loop"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// echo sends back what comes, and lets a slow reader slow it down.
type echo struct{ lost chan error }

func (echo) Made(*loop.Transport)                {}
func (echo) Data(t *loop.Transport, p []byte)    { _, _ = t.Write(p) }
func (echo) EOF(*loop.Transport) bool            { return false }
func (e echo) Lost(_ *loop.Transport, err error) { e.lost <- err }
func (echo) Pause(t *loop.Transport)             { t.PauseReading() }
func (echo) Resume(t *loop.Transport)            { t.ResumeReading() }

// A kind is a way to connect.
type kind struct {
	name   string
	listen func(t *testing.T) net.Listener
	dial   func(addr net.Addr) (net.Conn, error)
}

func kinds(t *testing.T) []kind {
	cert := certificate(t)
	plain := func(addr net.Addr) (net.Conn, error) { return net.Dial(addr.Network(), addr.String()) }
	listen := func(network, addr string) func(t *testing.T) net.Listener {
		return func(t *testing.T) net.Listener {
			ln, err := net.Listen(network, addr)
			must(t, err)
			return ln
		}
	}
	return []kind{
		{"tcp", listen("tcp", "127.0.0.1:0"), plain},
		{"unix", func(t *testing.T) net.Listener { return listen("unix", filepath.Join(t.TempDir(), "s"))(t) }, plain},
		{"goroutines", func(t *testing.T) net.Listener {
			return plainListener{listen("tcp", "127.0.0.1:0")(t)}
		}, plain},
		{"tls", func(t *testing.T) net.Listener {
			return tls.NewListener(listen("tcp", "127.0.0.1:0")(t), &tls.Config{Certificates: []tls.Certificate{cert}})
		}, func(addr net.Addr) (net.Conn, error) {
			return tls.Dial(addr.Network(), addr.String(), &tls.Config{InsecureSkipVerify: true}) // made for this test
		}},
	}
}

// A plainListener hides what kind of listener and connections it has, so that
// they are served as they are on a system without a poller.
type plainListener struct{ net.Listener }

func (ln plainListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return plainConn{c}, nil
}

type plainConn struct{ net.Conn }

func (c plainConn) CloseWrite() error       { return c.Conn.(*net.TCPConn).CloseWrite() }
func (c plainConn) SetLinger(sec int) error { return c.Conn.(*net.TCPConn).SetLinger(sec) }

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve runs a loop with one server and returns its address.
func serve(t *testing.T, ln net.Listener, p loop.Protocol, opts *loop.TransportOptions) (*loop.Loop, net.Addr) {
	t.Helper()
	l := loop.New(&loop.Options{Debug: true, Slow: -1})
	addr := ln.Addr()
	if _, err := l.Serve(ln, func() loop.Protocol { return p }, opts); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }() // ends below
	t.Cleanup(func() {
		l.Stop()
		must(t, <-done)
	})
	return l, addr
}

// Megabytes go through an echo server whose client reads them only later, in
// both directions at once.
func TestEcho(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			e := echo{make(chan error, 1)}
			_, addr := serve(t, k.listen(t), e, nil)
			c, err := k.dial(addr)
			must(t, err)
			defer c.Close()
			sent := make([]byte, 4<<20)
			_, _ = rand.Read(sent)
			go func() { // ends when all is sent
				_, _ = c.Write(sent)
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("got %d bytes of %d, %v", len(got), len(sent), err)
			}
			if err := <-e.lost; err != nil {
				t.Errorf("Lost(%v)", err)
			}
		})
	}
}

// A source writes a lot at once and notes what Flow tells it.
type source struct {
	echo
	size          int
	pause, resume chan int
	cut           bool // keep nothing: Abort after writing
}

func (s source) Made(t *loop.Transport) {
	_, _ = t.Write(make([]byte, s.size))
	switch {
	case s.cut:
		t.Abort(io.ErrUnexpectedEOF)
	case s.pause == nil:
		t.Close() // still sends everything
	}
}
func (s source) Pause(t *loop.Transport)  { s.pause <- t.Buffered() }
func (s source) Resume(t *loop.Transport) { s.resume <- t.Buffered(); t.Close() }

func TestWriteLimits(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			const high, low = 10_000, 1000
			s := source{echo{make(chan error, 1)}, 16 << 20, make(chan int, 1), make(chan int, 1), false}
			_, addr := serve(t, k.listen(t), s, &loop.TransportOptions{High: high, Low: low})
			c, err := k.dial(addr)
			must(t, err)
			defer c.Close()
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, err := io.Copy(io.Discard, c)
			if n != int64(s.size) || err != nil {
				t.Errorf("read %d bytes, %v", n, err)
			}
			if n := <-s.pause; n <= high {
				t.Errorf("paused with %d bytes waiting", n)
			}
			if n := <-s.resume; n > low {
				t.Errorf("resumed with %d bytes waiting", n)
			}
			must(t, <-s.lost)
		})
	}
}

// noFlow hides the methods of Flow.
type noFlow struct{ loop.Protocol }

func TestCloseSendsAll(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			s := source{echo: echo{make(chan error, 1)}, size: 8 << 20}
			_, addr := serve(t, k.listen(t), noFlow{s}, nil)
			c, err := k.dial(addr)
			must(t, err)
			defer c.Close()
			n, err := io.Copy(io.Discard, c)
			if n != int64(s.size) || err != nil {
				t.Errorf("read %d bytes, %v", n, err)
			}
			must(t, <-s.lost)
		})
	}
}

// A peer that is cut off must not take what it got for the whole.
func TestAbortIsNoEnd(t *testing.T) {
	for _, k := range kinds(t) {
		if k.name == "unix" {
			continue // unix sockets have no reset
		}
		t.Run(k.name, func(t *testing.T) {
			s := source{echo: echo{make(chan error, 1)}, size: 8 << 20, cut: true}
			_, addr := serve(t, k.listen(t), noFlow{s}, nil)
			c, err := k.dial(addr)
			if err == nil {
				defer c.Close()
				_, err = io.Copy(io.Discard, c)
			}
			if err == nil {
				t.Error("the client saw a clean end")
			}
			if err := <-s.lost; err != io.ErrUnexpectedEOF {
				t.Errorf("Lost(%v)", err)
			}
		})
	}
}

func TestBufferBound(t *testing.T) {
	s := source{echo: echo{make(chan error, 1)}, size: 16 << 20}
	k := kinds(t)[0]
	_, addr := serve(t, k.listen(t), noFlow{s}, &loop.TransportOptions{Max: 1 << 20})
	c, err := k.dial(addr)
	must(t, err)
	defer c.Close()
	if err := <-s.lost; fault.KindOf(err) != fault.NoSpace {
		t.Errorf("Lost(%v)", err)
	}
}

func TestPeerReset(t *testing.T) {
	e := echo{make(chan error, 1)}
	k := kinds(t)[0]
	_, addr := serve(t, k.listen(t), e, nil)
	c, err := k.dial(addr)
	must(t, err)
	must(t, c.(*net.TCPConn).SetLinger(0))
	must(t, c.Close())
	if err := <-e.lost; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Lost(%v)", err)
	}
}

// Each connection that was made is lost when the loop ends.
func TestEndLosesAll(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			e := echo{make(chan error, 10)}
			l, addr := serve(t, k.listen(t), e, nil)
			var conns []net.Conn
			for range 5 {
				c, err := k.dial(addr)
				must(t, err)
				defer c.Close()
				_, _ = c.Write([]byte("x"))
				_, err = io.ReadFull(c, make([]byte, 1))
				must(t, err)
				conns = append(conns, c)
			}
			l.Stop()
			for range conns {
				if err := <-e.lost; err != loop.ErrStopped {
					t.Errorf("Lost(%v)", err)
				}
			}
		})
	}
}

// A client and a server on one loop.
type client struct {
	echo
	got  int
	want int
}

func (c *client) Made(t *loop.Transport)           { _, _ = t.Write(make([]byte, c.want)); t.CloseWrite() }
func (c *client) Data(_ *loop.Transport, p []byte) { c.got += len(p) }
func (*client) Pause(*loop.Transport)              {} // goes on reading
func (*client) Resume(*loop.Transport)             {}
func (c *client) Lost(t *loop.Transport, err error) {
	t.Loop().Stop()
	c.lost <- err
}

func TestDial(t *testing.T) {
	for _, k := range kinds(t)[:2] {
		t.Run(k.name, func(t *testing.T) {
			ln := k.listen(t)
			l := loop.New(&loop.Options{Debug: true})
			addr := ln.Addr()
			srv, err := l.Serve(ln, func() loop.Protocol { return echo{make(chan error, 1)} }, nil)
			must(t, err)
			c := &client{echo: echo{make(chan error, 1)}, want: 1 << 20}
			l.Dial(t.Context(), addr.Network(), addr.String(), c, nil, func(err error) { t.Error(err); l.Stop() })
			must(t, l.Run(t.Context()))
			if err := <-c.lost; err != nil || c.got != c.want {
				t.Errorf("got %d bytes of %d, Lost(%v)", c.got, c.want, err)
			}
			_ = srv
			if k.name == "unix" {
				if _, err := net.Dial("unix", addr.String()); err == nil {
					t.Error("the socket is still there")
				}
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true})
	var failure error
	l.Dial(t.Context(), "unix", filepath.Join(t.TempDir(), "nothing"), echo{}, nil, func(err error) { failure = err })
	must(t, l.Run(t.Context()))
	if !errors.Is(failure, syscall.ENOENT) {
		t.Errorf("failed(%v)", failure)
	}
}
