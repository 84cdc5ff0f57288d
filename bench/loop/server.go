package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/leat-dev/leat/loop"
)

// servers echo what comes. Each prints "at" and its address, and never returns. Those
// after the dash compute beside it: four jobs that never end.
var servers = map[string]func() error{
	"leat":            func() error { return serveLeat(nil) },
	"leat-coroutine":  serveCoroutines,
	"leat-pool":       servePool,
	"gnet":            serveGnet,
	"go-net":          func() error { return serveNet(0) },
	"leat+idle-5ms":   func() error { return serveLeat(idleSlice) },
	"leat+yield":      func() error { return serveLeat(idleYield) },
	"go-net+spinning": func() error { return serveNet(jobs) },
}

// jobs is how many computations run beside an echo.
const jobs = 4

// bufSize is what each connection of the servers of package net reads into.
const bufSize = 4096

func listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println("at", ln.Addr())
	}
	return ln, err
}

type echo struct{}

func (echo) Made(*loop.Transport)             {}
func (echo) Data(t *loop.Transport, p []byte) { _, _ = t.Write(p) }
func (echo) EOF(*loop.Transport) bool         { return false }
func (echo) Lost(*loop.Transport, error)      {}
func (echo) Pause(t *loop.Transport)          { t.PauseReading() }
func (echo) Resume(t *loop.Transport)         { t.ResumeReading() }

func serveLeat(job func(l *loop.Loop)) error {
	l := loop.New(nil)
	ln, err := listen()
	if err != nil {
		return err
	}
	if _, err := l.Serve(ln, func() loop.Protocol { return echo{} }, nil); err != nil {
		return err
	}
	if job != nil {
		for range jobs {
			job(l)
		}
	}
	return l.Run(context.Background())
}

// idleSlice computes 5 ms at a time.
func idleSlice(l *loop.Loop) {
	var step func()
	step = func() {
		compute(5*time.Millisecond, func() bool { return false })
		l.Post(loop.Idle, step)
	}
	l.Post(loop.Idle, step)
}

// idleYield computes 5 ms at a time, or until something else is to do.
func idleYield(l *loop.Loop) {
	var step func()
	step = func() {
		compute(5*time.Millisecond, l.ShouldYield)
		l.Post(loop.Idle, step)
	}
	l.Post(loop.Idle, step)
}

// compute works for d, and asks now and then whether it is to stop.
func compute(d time.Duration, stop func() bool) {
	for end := time.Now().Add(d); time.Now().Before(end) && !stop(); {
		x := 1.0
		for range 1000 {
			x = x*1.0000001 + 0.5
		}
		runtime.KeepAlive(x)
	}
}

func serveCoroutines() error {
	l := loop.New(nil)
	ln, err := listen()
	if err != nil {
		return err
	}
	accepting, err := l.NewListener(ln)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10) // for all: full only between two waits
	l.Go(loop.IO, "accept", func(ctx context.Context) error {
		for {
			c, err := accepting.Accept(ctx)
			if err != nil {
				return err
			}
			l.Go(loop.IO, "echo", func(ctx context.Context) error {
				defer c.Close()
				for {
					n, err := c.Read(ctx, buf)
					if err != nil {
						return nil
					}
					if _, err := c.Write(ctx, buf[:n]); err != nil {
						return nil
					}
				}
			})
		}
	})
	return l.Run(context.Background())
}

func servePool() error {
	p := loop.NewPool(0, nil)
	addr, err := p.Serve("tcp", "127.0.0.1:0", func() loop.Protocol { return echo{} }, nil)
	if err != nil {
		return err
	}
	fmt.Println("at", addr)
	return p.Run(context.Background())
}

type gnetEcho struct {
	gnet.BuiltinEventEngine
	addr string
}

func (g *gnetEcho) OnBoot(gnet.Engine) gnet.Action {
	fmt.Println("at", g.addr)
	return gnet.None
}

func (g *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	p, _ := c.Next(-1)
	_, _ = c.Write(p)
	return gnet.None
}

func serveGnet() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // finds a free port
	if err != nil {
		return err
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return err
	}
	return gnet.Run(&gnetEcho{addr: addr}, "tcp://"+addr, gnet.WithNumEventLoop(runtime.GOMAXPROCS(0)))
}

// serveNet is a goroutine for each connection, and spinning more.
func serveNet(spinning int) error {
	ln, err := listen()
	if err != nil {
		return err
	}
	for range spinning {
		go compute(time.Hour, func() bool { return false })
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() { // ends with the connection
			defer c.Close()
			buf := make([]byte, bufSize)
			for {
				n, err := c.Read(buf)
				if err == io.EOF || err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
