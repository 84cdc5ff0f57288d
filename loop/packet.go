package loop

import (
	"context"
	"errors"
	"net"
)

// A packetStream is a socket for datagrams that never blocks.
type packetStream interface {
	recv(p []byte) (int, net.Addr, error)
	send(p []byte, to net.Addr) error
	onReadable(fn func()) error
	onWritable(fn func()) error
	addr() net.Addr
	close() error
}

// A PacketConn is a socket for datagrams, UDP or unix, for the coroutines of
// its loop.
type PacketConn struct {
	l     *Loop
	s     packetStream
	read  gate
	write gate
}

// ListenPacket opens a socket as [net.ListenPacket] does. Call it on the
// loop's goroutine, or before Run.
func (l *Loop) ListenPacket(network, addr string) (*PacketConn, error) {
	c, err := net.ListenPacket(network, addr)
	if err != nil {
		return nil, err
	}
	return l.NewPacketConn(c)
}

// NewPacketConn takes c over. On an error it is closed.
func (l *Loop) NewPacketConn(c net.PacketConn) (*PacketConn, error) {
	l.mustBeOn("NewPacketConn")
	s, err := l.takePacket(c)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = newPacketPump(l, c)
	}
	x := &PacketConn{l: l, s: s}
	x.read.init(l, s.onReadable)
	x.write.init(l, s.onWritable)
	l.opened(x)
	return x, nil
}

// ReadFrom reads one datagram and returns its length and the sender. What
// does not fit in p is lost.
func (c *PacketConn) ReadFrom(ctx context.Context, p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.s.recv(p)
		if !errors.Is(err, ErrNotReady) {
			c.l.ioDone()
			return n, from, err
		}
		if err := c.read.wait(ctx); err != nil {
			return 0, nil, err
		}
	}
}

// WriteTo sends p as one datagram.
func (c *PacketConn) WriteTo(ctx context.Context, p []byte, to net.Addr) error {
	for {
		err := c.s.send(p, to)
		if !errors.Is(err, ErrNotReady) {
			c.l.ioDone()
			return err
		}
		if err := c.write.wait(ctx); err != nil {
			return err
		}
	}
}

// LocalAddr returns the socket's address.
func (c *PacketConn) LocalAddr() net.Addr { return c.s.addr() }

// Close closes the socket. Calls that wait return [net.ErrClosed].
func (c *PacketConn) Close() error {
	c.l.closed(c)
	err := c.s.close()
	c.read.release()
	c.write.release()
	return err
}

// packetQueue is how many datagrams a packetPump holds; further ones are lost
// as they are in a full socket.
const packetQueue = 64

// A packetPump makes a packetStream of a connection that blocks.
type packetPump struct {
	l       *Loop
	c       net.PacketConn
	index   int
	release func()
	line    []packet // for the loop's goroutine
	read    func()
	closed  bool
}

type packet struct {
	data []byte
	from net.Addr
	err  error
}

func newPacketPump(l *Loop, c net.PacketConn) *packetPump {
	s := &packetPump{l: l, c: c, release: l.Hold()}
	l.conns.packets.add(s)
	l.own.Go(s.run)
	return s
}

func (s *packetPump) slot() *int { return &s.index }

func (s *packetPump) run() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		p := packet{append([]byte(nil), buf[:n]...), from, err}
		if !s.l.Post(IO, func() { s.take(p) }) {
			return
		}
	}
}

func (s *packetPump) take(p packet) {
	if s.closed || len(s.line) >= packetQueue {
		return
	}
	s.line = append(s.line, p)
	if s.read != nil {
		s.read()
	}
}

func (s *packetPump) recv(p []byte) (int, net.Addr, error) {
	switch {
	case s.closed:
		return 0, nil, net.ErrClosed
	case len(s.line) == 0:
		return 0, nil, ErrNotReady
	}
	first := s.line[0]
	s.line = s.line[1:]
	return copy(p, first.data), first.from, first.err
}

// send relies on datagrams being dropped, not held up, when there is no room.
func (s *packetPump) send(p []byte, to net.Addr) error {
	_, err := s.c.WriteTo(p, to)
	return err
}

func (s *packetPump) onReadable(fn func()) error {
	s.read = fn
	if fn != nil && len(s.line) > 0 {
		s.l.enqueue(IO, fn)
	}
	return nil
}

func (s *packetPump) onWritable(fn func()) error {
	if fn != nil {
		s.l.enqueue(IO, fn)
	}
	return nil
}

func (s *packetPump) addr() net.Addr { return s.c.LocalAddr() }

func (s *packetPump) close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.l.conns.packets.remove(s)
	s.release()
	return s.c.Close()
}
