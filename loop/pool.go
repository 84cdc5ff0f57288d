package loop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/leat-dev/leat/task"
)

// A Pool is several loops, each on its own goroutine, that share the work of
// serving connections. A connection stays on the loop that it came to.
type Pool struct {
	loops []*Loop
	mu    sync.Mutex
	next  int
	lns   []net.Listener // that goroutines accept from
	start []func()       // those goroutines, before Run
}

// NewPool returns n loops with the options of opts; zero or less means one
// for each processor that Go uses. opts.Clock and opts.Pick would be shared:
// leave them.
func NewPool(n int, opts *Options) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{}
	for range n {
		p.loops = append(p.loops, New(opts))
	}
	return p
}

// Loops returns the loops.
func (p *Pool) Loops() []*Loop { return p.loops }

// Next returns the loops in turn. It is safe from any goroutine.
func (p *Pool) Next() *Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.loops[p.next%len(p.loops)]
	p.next++
	return l
}

// Run runs all loops until ctx ends, [Pool.Stop] is called, or one of them
// ends, which ends the others. It returns when all have ended, with their
// errors.
func (p *Pool) Run(ctx context.Context) error {
	err := task.Run(ctx, &task.Options{Name: "loops"}, func(g *task.Group) error {
		for i, l := range p.loops {
			g.GoLater(fmt.Sprint(i), func(ctx context.Context) error {
				defer p.Stop()
				return l.Run(ctx)
			})
		}
		for _, accept := range p.start {
			g.GoLater("accept", func(context.Context) error { accept(); return nil })
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Stop ends all loops as [Loop.Stop] does. It is safe from any goroutine.
func (p *Pool) Stop() {
	for _, l := range p.loops {
		l.Stop()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ln := range p.lns {
		_ = ln.Close()
	}
}

// Serve listens on addr and attaches a protocol of newProtocol, which must be
// safe for concurrent use, to each connection. It returns the address, which
// is of use when addr leaves the port open. On Linux each loop has a listener
// of its own for a TCP address, and the system spreads connections over them
// (SO_REUSEPORT); otherwise see [Pool.ServeListener]. Call it before Run.
func (p *Pool) Serve(network, addr string, newProtocol func() Protocol, opts *TransportOptions) (net.Addr, error) {
	lns, err := listenAll(network, addr, len(p.loops))
	if err != nil {
		return nil, err
	}
	at := lns[0].Addr()
	if len(lns) == 1 {
		p.ServeListener(lns[0], newProtocol, opts)
		return at, nil
	}
	for i, ln := range lns {
		if _, err := p.loops[i].Serve(ln, newProtocol, opts); err != nil {
			for _, rest := range lns[i+1:] {
				_ = rest.Close()
			}
			return nil, err
		}
	}
	return at, nil
}

// ServeListener takes ln over, of any kind: a goroutine accepts connections
// and hands them to the loops in turn. Call it before Run.
func (p *Pool) ServeListener(ln net.Listener, newProtocol func() Protocol, opts *TransportOptions) {
	p.lns = append(p.lns, ln)
	p.start = append(p.start, func() {
		for {
			c, err := ln.Accept()
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				p.loops[0].debug.log.Warn("cannot accept a connection", "address", ln.Addr(), "error", err)
				select {
				case <-time.After(acceptPause):
				case <-p.loops[0].life.Done():
				}
				continue
			}
			l := p.Next()
			posted := l.Post(IO, func() {
				if _, err := l.Attach(c, newProtocol(), opts); err != nil {
					l.debug.log.Warn("cannot take a connection", "address", ln.Addr(), "error", err)
				}
			})
			if !posted {
				_ = c.Close()
			}
		}
	})
}
