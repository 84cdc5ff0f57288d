package sftpfs

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

const (
	// dialTimeout bounds a log-in.
	dialTimeout = 30 * time.Second
	// aliveEvery is how often a server that is silent is asked for a sign of
	// life, and aliveWait how long it may take.
	aliveEvery = 15 * time.Second
	aliveWait  = 30 * time.Second
	// busy is how much may go on over one connection before another is made.
	busy = 16
)

// A conn is a connection. It is usable once ready is closed and err is nil.
type conn struct {
	ready chan struct{}
	ssh   *ssh.Client
	sftp  *sftp.Client
	err   error
	uses  int  // calls and open files; guarded by the mutex of the pool
	away  bool // in no use for new calls; likewise
}

// A pool makes and shares the connections of an FS.
type pool struct {
	opts   *Options
	server server
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	conns   []*conn
	closed  bool
	running sync.WaitGroup // goroutines of the pool, and calls given up
}

var errClosed = &fault.Error{Kind: fault.Invalid, Err: errors.New("the file system is closed")}

// get returns a connection, which the caller gives back with put.
func (p *pool) get(ctx context.Context) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	c := p.pick()
	c.uses++
	p.mu.Unlock()
	select {
	case <-c.ready:
	default:
		task.Detach(ctx)
		select {
		case <-c.ready:
		case <-ctx.Done():
			p.put(c)
			return nil, context.Cause(ctx)
		}
	}
	if c.err != nil {
		p.put(c)
		return nil, c.err
	}
	return c, nil
}

// pick returns the connection with the least to do, or a new one. The mutex
// is held.
func (p *pool) pick() *conn {
	var best *conn
	for _, c := range p.conns {
		if best == nil || c.uses < best.uses {
			best = c
		}
	}
	if best != nil && (best.uses < busy || len(p.conns) >= p.opts.MaxConns) {
		return best
	}
	c := &conn{ready: make(chan struct{})}
	p.conns = append(p.conns, c)
	p.running.Go(func() { p.run(c) }) // owner: the pool, which closes c and waits
	return c
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	c.uses--
	last := c.uses == 0 && c.away
	p.mu.Unlock()
	if last {
		_ = c.ssh.Close()
	}
}

// suspect keeps new calls off a connection that seems to be broken. Those on
// it see for themselves; it is closed after the last.
func (p *pool) suspect(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.away = true
	p.conns = slices.DeleteFunc(p.conns, func(o *conn) bool { return o == c })
}

// run makes a connection and watches over it until it ends.
func (p *pool) run(c *conn) {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	c.err = p.dial(ctx, c)
	cancel()
	close(c.ready)
	if c.err == nil {
		p.watch(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(o *conn) bool { return o == c })
}

// dial connects and logs in.
func (p *pool) dial(ctx context.Context, c *conn) error {
	fail := func(err error) error {
		return &fault.Error{Kind: kindOfDial(p.ctx, err), Origin: p.server.address(), Err: err}
	}
	cfg, done, err := p.opts.clientConfig(p.server)
	if err != nil {
		return err
	}
	defer done()
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.server.address())
	if err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(socket, p.server.address(), cfg)
	if err != nil {
		_ = socket.Close()
		return fail(err)
	}
	c.ssh = ssh.NewClient(sc, chans, reqs)
	c.sftp, err = sftp.NewClient(c.ssh, sftp.MaxConcurrentRequestsPerFile(64))
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.ssh.Close()
		return fail(err)
	}
	return nil
}

// kindOfDial classifies why there is no connection.
func kindOfDial(ctx context.Context, err error) fault.Kind {
	var key *hostKeyError
	var revoked *knownhosts.RevokedError
	switch {
	case ctx.Err() != nil:
		return fault.Invalid // closed
	case errors.As(err, &key), errors.As(err, &revoked), denied(err):
		return fault.Permission
	case strings.Contains(err.Error(), "knownhosts:"):
		return fault.Permission
	}
	return fault.Unavailable
}

// watch ends when the connection does, the server gives no sign of life, or
// the pool is closed.
func (p *pool) watch(c *conn) {
	ended := make(chan struct{})
	p.running.Go(func() { // owner: the pool, which waits
		_ = c.ssh.Wait()
		close(ended)
	})
	p.running.Go(func() { // owner: the pool, which waits
		_ = c.sftp.Wait()
		_ = c.ssh.Close()
	})
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	silent := time.Time{} // since when an answer is owed
	alive := make(chan error, 1)
	for {
		select {
		case <-ended:
			return
		case <-p.ctx.Done():
			_ = c.ssh.Close()
			<-ended
			return
		case err := <-alive:
			if silent = (time.Time{}); err != nil {
				_ = c.ssh.Close()
			}
		case <-tick.C:
			if silent.IsZero() {
				silent = time.Now()
				p.running.Go(func() { // owner: the pool, which waits; ends with the connection
					_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
					alive <- err
				})
			} else if time.Since(silent) > aliveWait {
				_ = c.ssh.Close()
			}
		}
	}
}

// close ends all connections and waits for what the pool started.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.running.Wait()
}

// call runs fn, which may block for as long as the server likes, and returns
// when ctx ends. Then undo is called with what fn comes to, if it succeeds.
func call[T any](ctx context.Context, p *pool, c *conn, fn func(*sftp.Client) (T, error), undo func(T)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	p.mu.Lock() // so that Close waits for what is started here
	if p.closed {
		p.mu.Unlock()
		return none, errClosed
	}
	done := make(chan answer, 1)
	var gaveUp atomic.Bool
	p.running.Go(func() { // owner: the pool, which waits; ends with the connection
		v, err := fn(c.sftp)
		done <- answer{v, err}
		if gaveUp.Load() && undo != nil {
			select {
			case a := <-done:
				if a.err == nil {
					undo(a.v)
				}
			default:
			}
		}
	})
	p.mu.Unlock()
	task.Detach(ctx)
	select {
	case a := <-done:
		if _, own := a.err.(*fault.Error); a.err != nil && !own && kindOf(a.err) == fault.Unavailable {
			p.suspect(c)
		}
		return a.v, a.err
	case <-ctx.Done():
	}
	gaveUp.Store(true)
	select {
	case a := <-done: // it came just now, and the goroutine may not know
		if a.err == nil && undo != nil {
			p.running.Go(func() { undo(a.v) }) // owner: the pool, which waits
		}
	default:
	}
	return none, context.Cause(ctx)
}

// background runs fn, which ends with the connection it uses.
func (p *pool) background(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(fn) // owner: the pool, which waits
	}
}
