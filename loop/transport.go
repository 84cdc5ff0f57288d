package loop

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/leat-dev/leat/fault"
)

// A Protocol is told what happens on connections; one value can serve many.
// All calls come on the loop's goroutine: Made first, Lost last, each once.
type Protocol interface {
	// Made is called when t is connected.
	Made(t *Transport)
	// Data is called with bytes as they come, in pieces of any size. p
	// belongs to the loop: it is overwritten after the call.
	Data(t *Transport, p []byte)
	// EOF is called when the peer will send nothing more. True keeps the
	// connection open for writing; false closes it when all is sent.
	EOF(t *Transport) (keep bool)
	// Lost is called when the connection has ended: with nil after Close,
	// [ErrStopped] when the loop ends, else with what went wrong.
	Lost(t *Transport, err error)
}

// A Flow is a Protocol that wants to know when the peer is slower than it
// writes.
type Flow interface {
	// Pause is called when more than the high limit waits to be sent.
	Pause(t *Transport)
	// Resume is called when no more than the low limit does any more.
	Resume(t *Transport)
}

// TransportOptions are the settings of a [Transport]. Nil and zero values
// mean the defaults.
type TransportOptions struct {
	// High and Low are the limits of [Flow], in bytes. Default: 64 KiB, and a
	// quarter of High.
	High, Low int
	// Max is how many bytes may wait to be sent; a Write beyond that ends the
	// connection with an error of kind NoSpace. Default: no bound; a protocol
	// that is not a Flow may want one.
	Max int
}

const defaultHigh = 64 << 10

// A Transport carries the bytes of a [Protocol]. Its methods are for the
// loop's goroutine and never block.
type Transport struct {
	l     *Loop
	s     Stream
	p     Protocol
	opts  *TransportOptions
	out   []byte // to be sent
	index int
	state transportState
	err   error // for Lost

	paused bool // reading, by the user
	held   bool // Pause was called last
	ended  bool // the peer has
	eof    bool // to be sent after out
}

type transportState uint8

const (
	open    transportState = iota
	closing                // when out is sent
	lost                   // Lost is due, or was called
)

var defaultTransport TransportOptions

// Attach makes c a connection of the loop that p is told of; see
// [Loop.NewStream] for what becomes of c. Call it on the loop's goroutine, or
// before Run.
func (l *Loop) Attach(c net.Conn, p Protocol, opts *TransportOptions) (*Transport, error) {
	s, err := l.NewStream(c)
	if err != nil {
		return nil, err
	}
	return l.AttachStream(s, p, opts), nil
}

// AttachStream is [Loop.Attach] for a stream.
func (l *Loop) AttachStream(s Stream, p Protocol, opts *TransportOptions) *Transport {
	l.mustBeOn("AttachStream")
	if opts == nil {
		opts = &defaultTransport
	}
	t := &Transport{l: l, s: s, p: p, opts: opts}
	l.conns.transports.add(t)
	p.Made(t)
	t.watchReads()
	return t
}

// Loop returns the loop that t belongs to.
func (t *Transport) Loop() *Loop { return t.l }

// LocalAddr returns this end's address, nil if it has none.
func (t *Transport) LocalAddr() net.Addr { return t.s.LocalAddr() }

// RemoteAddr returns the peer's address, nil if it has none.
func (t *Transport) RemoteAddr() net.Addr { return t.s.RemoteAddr() }

// Buffered returns how many bytes wait to be sent.
func (t *Transport) Buffered() int { return len(t.out) }

// PauseReading ends calls of Data and EOF until [Transport.ResumeReading].
func (t *Transport) PauseReading() {
	t.l.mustBeOn("PauseReading")
	t.paused = true
	t.watchReads()
}

// ResumeReading is the opposite of [Transport.PauseReading].
func (t *Transport) ResumeReading() {
	t.l.mustBeOn("ResumeReading")
	t.paused = false
	t.watchReads()
}

func (t *Transport) watchReads() {
	if t.state == lost {
		return
	}
	var fn func()
	if t.state == open && !t.paused && !t.ended {
		fn = t.onReadable
	}
	if err := t.s.OnReadable(fn); err != nil {
		t.fail(err)
	}
}

func (t *Transport) onReadable() {
	if t.l.conns.buf == nil {
		t.l.conns.buf = make([]byte, readSize)
	}
	n, err := t.s.Read(t.l.conns.buf)
	switch {
	case errors.Is(err, ErrNotReady):
	case err == io.EOF:
		t.ended = true
		t.watchReads()
		if keep := t.p.EOF(t); !keep {
			t.Close()
		}
	case err != nil:
		t.fail(err)
	default:
		t.p.Data(t, t.l.conns.buf[:n])
	}
}

// Write sends p, and keeps a copy of what cannot be sent at once. It always
// takes all of p, unless the connection has ended or was closed for writing,
// when the error is [net.ErrClosed].
func (t *Transport) Write(p []byte) (int, error) {
	t.l.mustBeOn("Transport.Write")
	if t.state != open || t.eof {
		return 0, net.ErrClosed
	}
	all := len(p)
	if len(t.out) == 0 {
		n, err := t.s.Write(p)
		if err != nil && !errors.Is(err, ErrNotReady) {
			t.fail(err)
			return 0, err
		}
		if p = p[n:]; len(p) == 0 {
			return all, nil
		}
		if err := t.s.OnWritable(t.flush); err != nil {
			t.fail(err)
			return 0, err
		}
	}
	t.out = append(t.out, p...)
	if limit := t.opts.Max; limit > 0 && len(t.out) > limit {
		err := fault.New("write", "", fault.NoSpace, fmt.Errorf("%d bytes wait for a slow peer, more than %d", len(t.out), limit))
		t.fail(err)
		return 0, err
	}
	if high, _ := t.limits(); !t.held && len(t.out) > high {
		t.held = true
		if f, ok := t.p.(Flow); ok {
			f.Pause(t)
		}
	}
	return all, nil
}

func (t *Transport) limits() (high, low int) {
	if high = t.opts.High; high <= 0 {
		high = defaultHigh
	}
	if low = t.opts.Low; low <= 0 {
		low = high / 4
	}
	return high, min(low, high)
}

// flush sends what waits.
func (t *Transport) flush() {
	n, err := t.s.Write(t.out)
	if err != nil && !errors.Is(err, ErrNotReady) {
		t.fail(err)
		return
	}
	if t.out = t.out[n:]; len(t.out) == 0 {
		t.flushed()
	}
	if _, low := t.limits(); t.state == open && t.held && len(t.out) <= low {
		t.held = false
		if f, ok := t.p.(Flow); ok {
			f.Resume(t)
		}
	}
}

// flushed does what had to wait for the last byte.
func (t *Transport) flushed() {
	t.out = nil
	if err := t.s.OnWritable(nil); err != nil {
		t.fail(err)
		return
	}
	switch {
	case t.state == closing:
		t.fail(nil)
	case t.eof:
		if err := t.s.CloseWrite(); err != nil {
			t.fail(err)
		}
	}
}

// CloseWrite tells the peer, when all is sent, that nothing more will come.
// Reading goes on.
func (t *Transport) CloseWrite() {
	t.l.mustBeOn("CloseWrite")
	if t.state != open || t.eof {
		return
	}
	t.eof = true
	if len(t.out) == 0 {
		t.flushed()
	}
}

// Close ends the connection when all is sent; no Data comes any more. A peer
// that never reads keeps it open: see [Transport.Abort].
func (t *Transport) Close() {
	t.l.mustBeOn("Transport.Close")
	if t.state != open {
		return
	}
	t.state = closing
	t.watchReads()
	if len(t.out) == 0 && t.state == closing {
		t.fail(nil)
	}
}

// Abort ends the connection at once and drops what is not sent. err goes to
// Lost.
func (t *Transport) Abort(err error) {
	t.l.mustBeOn("Abort")
	if t.state == lost {
		return
	}
	_ = t.s.Abort()
	t.fail(err)
}

// fail ends the connection. Lost is called from the loop's line, never from
// within a call of the protocol's own.
func (t *Transport) fail(err error) {
	if t.state == lost {
		return
	}
	t.state, t.err = lost, err
	t.out = nil
	t.l.enqueue(IO, t.lose)
	_ = t.s.OnReadable(nil)
	_ = t.s.OnWritable(nil)
}

// lose closes the connection and tells the protocol, once.
func (t *Transport) lose() {
	if t.p == nil {
		return
	}
	if t.err != nil {
		_ = t.s.Abort()
	} else if err := t.s.Close(); err != nil {
		t.err = err
	}
	p := t.p
	t.p = nil
	t.l.conns.transports.remove(t)
	p.Lost(t, t.err)
}
