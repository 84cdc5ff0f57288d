package loop

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// An acceptor is a listener that never blocks.
type acceptor interface {
	accept() (Stream, error) // ErrNotReady if nobody waits
	onReadable(fn func()) error
	addr() net.Addr
	slot() *int
	close() error
}

const (
	// acceptBatch is how many connections are accepted in one callback.
	acceptBatch = 16
	// acceptPause is how long a listener rests after an error, which mostly
	// is that of too many open files.
	acceptPause = 100 * time.Millisecond
)

// A Server accepts connections for protocols. Its methods are for the loop's
// goroutine.
type Server struct {
	l      *Loop
	a      acceptor
	give   func(Stream)
	closed bool
}

// Serve takes ln over: it attaches a protocol of newProtocol to each
// connection that comes. TCP and unix listeners of package net become bare
// descriptors of the loop where those can be watched; for any other listener,
// one of TLS for instance, a goroutine accepts. What makes accepting fail, too
// many open files say, is logged, and tried again after 100 ms. ln is closed
// by [Server.Close] or when the loop ends, and on an error. Call Serve on the
// loop's goroutine, or before Run.
func (l *Loop) Serve(ln net.Listener, newProtocol func() Protocol, opts *TransportOptions) (*Server, error) {
	return l.serve(ln, func(s Stream) { l.AttachStream(s, newProtocol(), opts) })
}

func (l *Loop) serve(ln net.Listener, give func(Stream)) (*Server, error) {
	l.mustBeOn("Serve")
	a, err := l.newAcceptor(ln)
	if err != nil {
		return nil, err
	}
	srv := &Server{l: l, a: a, give: give}
	if err := a.onReadable(srv.accept); err != nil {
		_ = a.close()
		return nil, err
	}
	return srv, nil
}

func (l *Loop) newAcceptor(ln net.Listener) (acceptor, error) {
	a, err := l.takeListener(ln)
	if a == nil && err == nil {
		a = newListenPump(l, ln)
	}
	return a, err
}

func (srv *Server) accept() {
	for range acceptBatch {
		s, err := srv.a.accept()
		switch {
		case errors.Is(err, ErrNotReady):
			return
		case err != nil:
			srv.rest(err)
			return
		}
		srv.give(s)
		if srv.closed {
			return
		}
	}
}

func (srv *Server) rest(err error) {
	srv.l.debug.log.Warn("cannot accept a connection", "address", srv.a.addr(), "error", err)
	if errors.Is(err, net.ErrClosed) { // by somebody else
		_ = srv.Close()
		return
	}
	_ = srv.a.onReadable(nil)
	srv.l.After(acceptPause, IO, func() {
		if !srv.closed {
			_ = srv.a.onReadable(srv.accept)
		}
	})
}

// Addr returns the address that is listened on.
func (srv *Server) Addr() net.Addr { return srv.a.addr() }

// Close ends accepting; connections go on. Further calls do nothing.
func (srv *Server) Close() error {
	srv.l.mustBeOn("Server.Close")
	if srv.closed {
		return nil
	}
	srv.closed = true
	return srv.a.close()
}

// Dial connects to addr as [net.Dialer] does, on a goroutine of its own, and
// attaches p; when it cannot, or ctx ends first, failed is called on the
// loop's goroutine and p hears nothing. Dial does not block, and is safe from
// any goroutine.
func (l *Loop) Dial(ctx context.Context, network, addr string, p Protocol, opts *TransportOptions, failed func(error)) {
	l.Work(ctx, IO, func(ctx context.Context) (func(), error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return func() {
			if _, err := l.Attach(c, p, opts); err != nil {
				failed(err)
			}
		}, nil
	}, failed)
}

// A listenPump makes an acceptor of a listener that blocks.
type listenPump struct {
	l       *Loop
	ln      net.Listener
	index   int
	release func()
	read    func()
	queued  bool
	closed  bool
	more    chan struct{} // a token for each connection that may be accepted

	mu   sync.Mutex
	line []net.Conn
	err  error
}

func newListenPump(l *Loop, ln net.Listener) *listenPump {
	a := &listenPump{l: l, ln: ln, release: l.Hold(), more: make(chan struct{}, acceptBatch)}
	for range acceptBatch {
		a.more <- struct{}{}
	}
	l.conns.acceptors.add(a)
	l.own.Go(a.run)
	return a
}

func (a *listenPump) slot() *int     { return &a.index }
func (a *listenPump) addr() net.Addr { return a.ln.Addr() }

func (a *listenPump) run() {
	for range a.more {
		c, err := a.ln.Accept()
		a.mu.Lock()
		if err != nil {
			a.err = err
		} else {
			a.line = append(a.line, c)
		}
		a.mu.Unlock()
		if !a.l.Post(IO, a.fire) && c != nil {
			_ = c.Close()
		}
	}
}

func (a *listenPump) fire() {
	a.queued = false
	if a.read != nil {
		a.read()
	}
	a.again()
}

func (a *listenPump) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.read != nil && !a.queued && (len(a.line) > 0 || a.err != nil) {
		a.queued = true
		a.l.enqueue(IO, a.fire)
	}
}

func (a *listenPump) accept() (Stream, error) {
	a.mu.Lock()
	if err := a.err; err != nil && len(a.line) == 0 {
		a.err = nil
		a.mu.Unlock()
		a.token()
		return nil, err
	}
	if len(a.line) == 0 {
		a.mu.Unlock()
		return nil, ErrNotReady
	}
	c := a.line[0]
	a.line = a.line[1:]
	a.mu.Unlock()
	a.token()
	return a.l.NewStream(c)
}

func (a *listenPump) token() {
	if !a.closed {
		a.more <- struct{}{} // has room: it was taken out for this connection
	}
}

func (a *listenPump) onReadable(fn func()) error {
	a.read = fn
	a.again()
	return nil
}

func (a *listenPump) close() error {
	if a.closed {
		return nil
	}
	a.closed, a.read = true, nil
	a.l.conns.acceptors.remove(a)
	close(a.more)
	err := a.ln.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.line {
		_ = c.Close()
	}
	a.line = nil
	a.release()
	return err
}
