package loop

import (
	"errors"
	"net"
)

// ErrNotReady is returned by a [Stream] that would have to wait.
var ErrNotReady = errors.New("not ready: the operation would have to wait")

// A Stream is a connection that never blocks; a [Transport] and a [Conn]
// stand on one. Make it with [Loop.NewStream]; tests can have their own. All
// methods are for the loop's goroutine.
type Stream interface {
	// Read reads what is there, [ErrNotReady] if that is nothing, io.EOF at
	// the end.
	Read(p []byte) (int, error)
	// Write takes as much of p as there is room for, with [ErrNotReady] only
	// if that is nothing. What it has taken is sent also after Close.
	Write(p []byte) (int, error)
	// OnReadable has fn run, at priority IO, again and again while Read has
	// something to say; nil ends that.
	OnReadable(fn func()) error
	// OnWritable is OnReadable for Write.
	OnWritable(fn func()) error
	// CloseWrite tells the peer that nothing more will come.
	CloseWrite() error
	// Close sends what was taken and closes.
	Close() error
	// Abort closes at once; the peer should see an error and not an end.
	Abort() error
	// LocalAddr returns this end's address, nil if it has none.
	LocalAddr() net.Addr
	// RemoteAddr returns the peer's address, nil if it has none.
	RemoteAddr() net.Addr
}

// NewStream takes c over: from now on it belongs to the stream, and is closed
// with it or when the loop ends. TCP and unix connections of package net
// become bare descriptors of the loop where those can be watched. Any other
// connection, TLS for one, is served by two goroutines, and 32 KiB of buffers
// at the most. On an error c is closed. Call it on the loop's goroutine, or
// before Run.
func (l *Loop) NewStream(c net.Conn) (Stream, error) {
	l.mustBeOn("NewStream")
	s, err := l.takeOver(c)
	if s != nil || err != nil {
		return s, err
	}
	return newPump(l, c), nil
}

// A registry holds what a loop closes when it ends, in no order.
type registry[T comparable] struct {
	list []T
	at   func(T) *int // where an item keeps its index
}

func (r *registry[T]) add(x T) {
	*r.at(x) = len(r.list)
	r.list = append(r.list, x)
}

func (r *registry[T]) remove(x T) {
	i, last := *r.at(x), len(r.list)-1
	r.list[i] = r.list[last]
	*r.at(r.list[i]) = i
	var zero T
	r.list[last] = zero
	r.list = r.list[:last]
}

// An ownStream is a stream that the loop closes when it ends.
type ownStream interface {
	Stream
	slot() *int
}

// An ownPacket is a socket that the loop closes when it ends.
type ownPacket interface {
	packetStream
	slot() *int
}

// conns is what a loop knows about its connections.
type conns struct {
	buf        []byte // for all reads of transports; see Protocol
	streams    registry[ownStream]
	transports registry[*Transport]
	acceptors  registry[acceptor]
	packets    registry[ownPacket]
}

// readSize is how much is read at a time. More would let a fast sender hold
// up the others.
const readSize = 64 << 10

func (c *conns) init() {
	c.streams.at = ownStream.slot
	c.packets.at = ownPacket.slot
	c.acceptors.at = acceptor.slot
	c.transports.at = func(t *Transport) *int { return &t.index }
}

// loseAll tells all protocols that the loop ends. Where something was not
// sent, the peer gets an error and not an end.
func (l *Loop) loseAll() {
	for len(l.conns.transports.list) > 0 {
		t := l.conns.transports.list[len(l.conns.transports.list)-1]
		if t.state != lost {
			if len(t.out) == 0 {
				_ = t.s.Close()
			}
			t.err, t.state = ErrStopped, lost
		}
		t.lose()
	}
}

// closeStreams closes what is left open.
func (l *Loop) closeStreams() {
	for len(l.conns.acceptors.list) > 0 {
		_ = l.conns.acceptors.list[len(l.conns.acceptors.list)-1].close()
	}
	for len(l.conns.packets.list) > 0 {
		_ = l.conns.packets.list[len(l.conns.packets.list)-1].close()
	}
	for len(l.conns.streams.list) > 0 {
		_ = l.conns.streams.list[len(l.conns.streams.list)-1].Abort()
	}
}
