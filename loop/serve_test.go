package loop_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/leat-dev/leat/loop"
)

// A rude protocol does what it should not in the middle of a call.
type rude struct {
	t      *testing.T
	on     string // the call
	do     func(t *loop.Transport)
	after  int // calls of Data and EOF after it
	lost   int
	err    error
	called bool
}

func (r *rude) at(call string, t *loop.Transport) {
	switch {
	case r.called && call != "lost":
		r.after++
	case call == r.on:
		r.called = true
		r.do(t)
	}
}

func (r *rude) Made(t *loop.Transport)           { r.at("made", t) }
func (r *rude) Data(t *loop.Transport, p []byte) { r.at("data", t) }
func (r *rude) EOF(t *loop.Transport) bool       { r.at("eof", t); return false }
func (r *rude) Lost(t *loop.Transport, err error) {
	r.lost++
	r.err = err
	r.at("lost", t)
	if n, err := t.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
		r.t.Errorf("Write after the end: %d, %v", n, err)
	}
	t.Close()
	t.Abort(io.EOF)
	t.PauseReading()
	t.ResumeReading()
	t.CloseWrite()
}

// Whatever a protocol does in a call, it is not called inside that, hears
// nothing after a close, and is lost once.
func TestEndInsideACall(t *testing.T) {
	abort, all := errors.New("abort"), kinds(t)
	for _, on := range []string{"made", "data", "eof", "lost"} {
		for name, do := range map[string]func(*loop.Transport){
			"close":       func(t *loop.Transport) { t.Close(); t.Close() },
			"abort":       func(t *loop.Transport) { t.Abort(abort); t.Abort(nil) },
			"write":       func(t *loop.Transport) { _, _ = t.Write(make([]byte, 1<<20)); t.Close() },
			"close write": func(t *loop.Transport) { t.CloseWrite(); t.CloseWrite(); t.Close() },
		} {
			for _, k := range all {
				t.Run(on+"/"+name+"/"+k.name, func(t *testing.T) {
					l := loop.New(&loop.Options{Debug: true, Slow: -1, Finite: true})
					r := &rude{t: t, on: on, do: do}
					ln := k.listen(t)
					var srv *loop.Server
					srv, err := l.Serve(ln, func() loop.Protocol {
						must(t, srv.Close())
						return r
					}, nil)
					must(t, err)
					client := make(chan struct{})
					go func() { // ends when the server closes
						defer close(client)
						c, err := k.dial(srv.Addr())
						if err != nil {
							return // TLS, and aborted at once
						}
						defer c.Close()
						_, _ = c.Write([]byte("hello"))
						if on != "data" {
							_ = c.(interface{ CloseWrite() error }).CloseWrite()
						}
						_, _ = io.Copy(io.Discard, c)
					}()
					must(t, l.Run(t.Context()))
					<-client
					if r.lost != 1 || r.after != 0 {
						t.Errorf("lost %d times, called %d times after the end", r.lost, r.after)
					}
					if name == "abort" && on != "lost" && !errors.Is(r.err, abort) {
						t.Errorf("Lost(%v)", r.err)
					}
				})
			}
		}
	}
}

// A shaky listener fails at first.
type shaky struct {
	net.Listener
	left int
}

func (s *shaky) Accept() (net.Conn, error) {
	if s.left > 0 {
		s.left--
		return nil, errors.New("too many open files")
	}
	return s.Listener.Accept()
}

// last stops its loop at the end.
type last struct{ shout }

func (last) Lost(t *loop.Transport, _ error) { t.Loop().Stop() }

func TestAcceptGoesOnAfterErrors(t *testing.T) {
	for name, own := range map[string]bool{"own log": true, "default log": false} {
		t.Run(name, func(t *testing.T) {
			var book logbook
			var opts *loop.Options
			if own {
				opts = &loop.Options{Log: book.logger()}
			} else {
				before := slog.Default()
				defer slog.SetDefault(before)
				slog.SetDefault(book.logger())
			}
			acceptGoesOn(t, &book, opts)
		})
	}
}

func acceptGoesOn(t *testing.T, book *logbook, opts *loop.Options) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := ln.Addr().String()
	l := loop.New(opts)
	_, err = l.Serve(&shaky{ln, 2}, func() loop.Protocol { return last{} }, nil)
	must(t, err)
	client := make(chan error, 1)
	go func() { // ends with its answer
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_, err = c.Write([]byte("x"))
			_, _ = io.ReadFull(c, make([]byte, 2))
			_ = c.Close()
		}
		client <- err
	}()
	must(t, l.Run(t.Context())) // until the connection is lost
	must(t, <-client)
	if n := strings.Count(book.String(), "too many open files"); n == 0 {
		t.Errorf("the error is not logged:\n%s", book.String())
	}
}
