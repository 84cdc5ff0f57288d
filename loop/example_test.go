package loop_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/leat-dev/leat/loop"
)

// Control messages go before bulk work, and that before housekeeping.
func Example() {
	l := loop.New(&loop.Options{Finite: true})
	l.Post(loop.Idle, func() { fmt.Println("tidy up") })
	l.Post(loop.Normal, func() { fmt.Println("work") })
	l.Post(loop.Control, func() { fmt.Println("heartbeat") })
	if err := l.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// heartbeat
	// work
	// tidy up
}

// shout is a protocol: it sends back what comes, louder.
type shout struct{}

func (shout) Made(*loop.Transport)             {}
func (shout) Data(t *loop.Transport, p []byte) { fmt.Fprintf(t, "%s!", p) }
func (shout) EOF(*loop.Transport) bool         { return false }
func (shout) Lost(*loop.Transport, error)      {}

// A server as a protocol, and its client as a coroutine on the same loop.
func ExampleLoop_Serve() {
	l := loop.New(nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	addr := ln.Addr().String()
	if _, err := l.Serve(ln, func() loop.Protocol { return shout{} }, nil); err != nil {
		fmt.Println(err)
		return
	}
	l.Go(loop.Normal, "client", func(ctx context.Context) error {
		defer l.Stop()
		c, err := loop.Connect(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write(ctx, []byte("hello")); err != nil {
			return err
		}
		if err := c.CloseWrite(); err != nil {
			return err
		}
		answer, err := io.ReadAll(c.Bind(ctx))
		fmt.Printf("%s\n", answer)
		return err
	})
	if err := l.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: hello!
}

// A long computation goes on only while nothing else is to do.
func ExampleLoop_ShouldYield() {
	l := loop.New(nil)
	var n, turns int
	var compute func()
	compute = func() {
		turns++
		for !l.ShouldYield() {
			n++
		}
		l.Post(loop.Idle, compute)
	}
	l.Post(loop.Idle, compute)
	l.After(time.Millisecond, loop.Normal, l.Stop)
	if err := l.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(n > 0, turns > 0)
	// Output: true true
}
