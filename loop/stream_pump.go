package loop

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	pumpSize   = 16 << 10        // of each buffer
	pumpLinger = 5 * time.Second // for what is unsent when a stream is closed
)

// A pump makes a stream of a connection that blocks: one goroutine reads
// ahead and one writes behind, each a buffer. The loop waits for them.
type pump struct {
	l       *Loop
	c       net.Conn
	index   int
	release func() // see Hold
	fire    func()

	// For the loop's goroutine.
	read, write func()
	queued      bool

	mu      sync.Mutex
	change  *sync.Cond
	in      []byte // read and not consumed
	inErr   error  // what comes after in
	out     []byte // taken and not written
	busy    bool   // the writer has some more in hand
	outErr  error
	eof     bool // CloseWrite after out
	closing bool
	abort   bool // out was dropped
	told    bool // the loop was told to fire
}

func newPump(l *Loop, c net.Conn) *pump {
	s := &pump{l: l, c: c, release: l.Hold()}
	s.change = sync.NewCond(&s.mu)
	s.fire = s.run
	l.conns.streams.add(s)
	l.own.Go(s.readAhead)
	l.own.Go(s.writeBehind)
	return s
}

func (s *pump) slot() *int { return &s.index }

func (s *pump) readAhead() {
	buf := make([]byte, pumpSize)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.inErr == nil && !s.closing {
		s.mu.Unlock()
		n, err := s.c.Read(buf)
		s.mu.Lock()
		s.in, s.inErr = buf[:n], err
		s.tell()
		for len(s.in) > 0 && !s.closing {
			s.change.Wait()
		}
	}
}

func (s *pump) writeBehind() {
	var spare []byte
	s.mu.Lock()
	defer func() {
		abort := s.abort
		s.mu.Unlock()
		if abort {
			s.cut()
		} else {
			_ = s.c.Close()
		}
	}()
	for {
		for len(s.out) == 0 && !s.eof && !s.closing {
			s.change.Wait()
		}
		switch {
		case len(s.out) > 0:
			chunk := s.out
			s.out, s.busy = spare[:0], true
			s.mu.Unlock()
			_, err := s.c.Write(chunk)
			s.mu.Lock()
			spare, s.busy = chunk, false
			s.noteWrite(err)
		case s.eof:
			s.eof = false
			if half, ok := s.c.(interface{ CloseWrite() error }); ok && !s.closing {
				s.mu.Unlock()
				err := half.CloseWrite()
				s.mu.Lock()
				s.noteWrite(err)
			}
		default: // closing
			return
		}
	}
}

// noteWrite takes in what a write came to; mu is held.
func (s *pump) noteWrite(err error) {
	if err != nil {
		s.outErr = err
		s.out = nil
	}
	s.tell()
}

// tell has the loop look; mu is held.
func (s *pump) tell() {
	if !s.told {
		s.told = s.l.Post(IO, s.fire)
	}
}

// run runs the callbacks that are due, and stays in line while there are any.
func (s *pump) run() {
	s.mu.Lock()
	s.told = false
	s.mu.Unlock()
	s.queued = false
	if s.canRead() && s.read != nil {
		s.read()
	}
	if s.canWrite() && s.write != nil {
		s.write()
	}
	s.again()
}

// again puts run in line if it has something to do.
func (s *pump) again() {
	if !s.queued && (s.read != nil && s.canRead() || s.write != nil && s.canWrite()) {
		s.queued = true
		s.l.enqueue(IO, s.fire)
	}
}

func (s *pump) canRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.in) > 0 || s.inErr != nil
}

func (s *pump) canWrite() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.out) < pumpSize || s.outErr != nil
}

func (s *pump) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return 0, net.ErrClosed
	case len(s.in) > 0:
		n := copy(p, s.in)
		s.in = s.in[n:]
		if len(s.in) == 0 {
			s.change.Broadcast()
		}
		return n, nil
	case s.inErr != nil:
		return 0, s.inErr
	}
	return 0, ErrNotReady
}

func (s *pump) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := pumpSize - len(s.out)
	switch {
	case s.closing:
		return 0, net.ErrClosed
	case s.outErr != nil:
		return 0, s.outErr
	case s.eof:
		return 0, io.ErrClosedPipe
	case room == 0:
		return 0, ErrNotReady
	}
	n := min(room, len(p))
	s.out = append(s.out, p[:n]...)
	s.change.Broadcast()
	return n, nil
}

func (s *pump) OnReadable(fn func()) error {
	s.l.mustBeOn("OnReadable")
	s.read = fn
	s.again()
	return nil
}

func (s *pump) OnWritable(fn func()) error {
	s.l.mustBeOn("OnWritable")
	s.write = fn
	s.again()
	return nil
}

func (s *pump) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eof = true
	s.change.Broadcast()
	return nil
}

func (s *pump) Close() error {
	if s.shut(false) {
		_ = s.c.SetWriteDeadline(time.Now().Add(pumpLinger))
		_ = s.c.SetReadDeadline(longAgo)
	}
	return nil
}

func (s *pump) Abort() error {
	if s.shut(true) {
		s.cut()
	}
	return nil
}

// cut closes the connection so that the peer sees an error. A polite Close
// of TLS would make what came before look complete.
func (s *pump) cut() {
	raw := s.c
	if w, ok := raw.(interface{ NetConn() net.Conn }); ok {
		raw = w.NetConn()
	}
	if c, ok := raw.(interface{ SetLinger(sec int) error }); ok {
		_ = c.SetLinger(0)
	}
	_ = raw.Close()
}

// shut lets the goroutines end, once; the writer closes the connection.
func (s *pump) shut(abort bool) bool {
	s.mu.Lock()
	first := !s.closing
	if first {
		s.closing, s.abort = true, abort
		if abort {
			s.out = nil
		}
	}
	s.change.Broadcast()
	s.mu.Unlock()
	s.read, s.write = nil, nil
	if first {
		s.l.conns.streams.remove(s)
		s.release()
	}
	return first
}

func (s *pump) LocalAddr() net.Addr  { return s.c.LocalAddr() }
func (s *pump) RemoteAddr() net.Addr { return s.c.RemoteAddr() }
