package loop

import (
	"context"
	"errors"
	"io"
	"net"
)

// ErrBusy is returned to a coroutine that reads, writes or accepts while
// another one waits in the same call of the same connection.
var ErrBusy = errors.New("another coroutine waits in the same call")

// A Conn is a connection for coroutines: a call that has to wait suspends
// the coroutine, not the loop. It is for the coroutines of its loop; one may
// read while another writes.
type Conn struct {
	l     *Loop
	s     Stream
	read  gate
	write gate
}

// NewConn takes c over as [Loop.NewStream] does.
func (l *Loop) NewConn(c net.Conn) (*Conn, error) {
	s, err := l.NewStream(c)
	if err != nil {
		return nil, err
	}
	return l.ConnOf(s), nil
}

// ConnOf returns a Conn that stands on s.
func (l *Loop) ConnOf(s Stream) *Conn {
	c := &Conn{l: l, s: s}
	c.read.init(l, s.OnReadable)
	c.write.init(l, s.OnWritable)
	l.opened(c)
	return c
}

// Connect connects to addr as [net.Dialer] does and returns a connection of
// the loop that the calling coroutine belongs to.
func Connect(ctx context.Context, network, addr string) (*Conn, error) {
	l := From(ctx)
	if l == nil {
		return nil, errNoLoop
	}
	c, err := Await(ctx, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
	if err != nil {
		return nil, err
	}
	return l.NewConn(c)
}

var errNoLoop = errors.New("the context is not that of a coroutine; use package net here")

// Read reads at least one byte, or returns io.EOF at the end.
func (c *Conn) Read(ctx context.Context, p []byte) (int, error) {
	for {
		if !c.read.empty || len(p) == 0 {
			n, err := c.s.Read(p)
			if !errors.Is(err, ErrNotReady) {
				c.read.empty = err == nil && n < len(p) // else the next call need not try
				c.l.ioDone()
				return n, err
			}
		}
		if err := c.read.wait(ctx); err != nil {
			return 0, err
		}
	}
}

// Write writes all of p. When ctx ends first, or the connection breaks, part
// of it may have been sent; the count says how much.
func (c *Conn) Write(ctx context.Context, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := c.s.Write(p[done:])
		done += n
		switch {
		case err == nil:
			c.l.ioDone()
		case !errors.Is(err, ErrNotReady):
			return done, err
		default:
			if err := c.write.wait(ctx); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// CloseWrite tells the peer that nothing more will come.
func (c *Conn) CloseWrite() error { return c.s.CloseWrite() }

// Close sends what was written and closes. Calls that wait, and later ones,
// return [net.ErrClosed].
func (c *Conn) Close() error {
	c.l.closed(c)
	err := c.s.Close()
	c.read.release()
	c.write.release()
	return err
}

// Abort closes at once, so that the peer sees an error and not an end.
func (c *Conn) Abort() error {
	c.l.closed(c)
	err := c.s.Abort()
	c.read.release()
	c.write.release()
	return err
}

// LocalAddr returns this end's address, nil if it has none.
func (c *Conn) LocalAddr() net.Addr { return c.s.LocalAddr() }

// RemoteAddr returns the peer's address, nil if it has none.
func (c *Conn) RemoteAddr() net.Addr { return c.s.RemoteAddr() }

// Bind returns c for functions that want no context: all calls use ctx.
func (c *Conn) Bind(ctx context.Context) io.ReadWriteCloser { return bound{c, ctx} }

type bound struct {
	*Conn
	ctx context.Context
}

func (b bound) Read(p []byte) (int, error)  { return b.Conn.Read(b.ctx, p) }
func (b bound) Write(p []byte) (int, error) { return b.Conn.Write(b.ctx, p) }

// A Listener accepts connections for coroutines of its loop.
type Listener struct {
	l    *Loop
	a    acceptor
	gate gate
}

// Listen listens as [net.Listen] does. Call it on the loop's goroutine, or
// before Run.
func (l *Loop) Listen(network, addr string) (*Listener, error) {
	ln, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	return l.NewListener(ln)
}

// NewListener takes ln over as [Loop.Serve] does.
func (l *Loop) NewListener(ln net.Listener) (*Listener, error) {
	l.mustBeOn("NewListener")
	a, err := l.newAcceptor(ln)
	if err != nil {
		return nil, err
	}
	x := &Listener{l: l, a: a}
	x.gate.init(l, a.onReadable)
	l.opened(x)
	return x, nil
}

// Accept returns the next connection.
func (x *Listener) Accept(ctx context.Context) (*Conn, error) {
	for {
		s, err := x.a.accept()
		switch {
		case err == nil:
			x.l.ioDone()
			return x.l.ConnOf(s), nil
		case !errors.Is(err, ErrNotReady):
			return nil, err
		}
		if err := x.gate.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Addr returns the address that is listened on.
func (x *Listener) Addr() net.Addr { return x.a.addr() }

// Close ends accepting; connections go on. A call of Accept that waits
// returns [net.ErrClosed].
func (x *Listener) Close() error {
	x.l.closed(x)
	err := x.a.close()
	x.gate.release()
	return err
}

// A gate is where one coroutine waits until a stream is ready one way. The
// stream stays watched between waits, which saves two system calls for each,
// until it is ready with nobody waiting.
type gate struct {
	l       *Loop
	watch   func(func()) error
	fire    func()
	waiting func() // wakes; nil if nobody waits
	watched bool
	empty   bool // the stream had nothing more when last tried
	closed  bool
}

func (g *gate) init(l *Loop, watch func(func()) error) {
	g.l, g.watch = l, watch
	g.fire = g.ready
}

func (g *gate) ready() {
	g.empty = false
	if g.waiting != nil {
		g.waiting()
		g.waiting = nil
		return
	}
	g.watched = false
	_ = g.watch(nil)
}

func (g *gate) wait(ctx context.Context) error {
	switch {
	case g.closed:
		return net.ErrClosed
	case g.waiting != nil:
		return ErrBusy
	case !g.watched:
		if err := g.watch(g.fire); err != nil {
			return err
		}
		g.watched = true
	}
	err := g.l.Suspend(ctx, func(wake func()) {
		g.l.co.now.what = "a socket"
		g.waiting = wake
	})
	if err != nil {
		g.waiting = nil
	}
	return err
}

// release lets the one that waits go, after a close.
func (g *gate) release() {
	g.closed, g.empty = true, false
	if g.waiting != nil {
		g.waiting()
		g.waiting = nil
	}
}

// ioWeight is how many operations that need not wait one of input or output
// counts for, as it costs that much more.
const ioWeight = 16

// ioDone gives others a turn after a row of operations that did not wait: a
// peer that is faster than the coroutine would keep it running for ever.
func (l *Loop) ioDone() {
	if c := l.here(); c != nil {
		c.streak += ioWeight - 1
		c.breathe()
	}
}
