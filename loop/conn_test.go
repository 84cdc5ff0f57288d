package loop_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
)

// echoConn sends back what comes.
func echoConn(ctx context.Context, c *loop.Conn) error {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(ctx, buf)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if _, err := c.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

// echoAll serves connections with a coroutine each.
func echoAll(l *loop.Loop, ln *loop.Listener) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		defer ln.Close()
		for {
			c, err := ln.Accept(ctx)
			if err != nil {
				return nil // the loop ends
			}
			l.Go(loop.IO, "echo", func(ctx context.Context) error { return echoConn(ctx, c) })
		}
	}
}

// Clients on coroutines and a server on coroutines share one loop.
func TestCoroutineEcho(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			l := loop.New(&loop.Options{Debug: true, Slow: -1})
			ln, err := l.NewListener(k.listen(t))
			must(t, err)
			l.Go(loop.IO, "accept", echoAll(l, ln))
			const clients = 8
			left := clients
			for range clients {
				l.Go(loop.Normal, "client", func(ctx context.Context) error {
					raw, err := loop.Await(ctx, func(context.Context) (net.Conn, error) { return k.dial(ln.Addr()) })
					if err != nil {
						return err
					}
					c, err := l.NewConn(raw)
					if err != nil {
						return err
					}
					defer c.Close()
					if err := exchange(ctx, l, c, 1<<20); err != nil {
						return err
					}
					if left--; left == 0 {
						l.Stop()
					}
					return nil
				})
			}
			must(t, l.Run(t.Context()))
			if left != 0 {
				t.Errorf("%d clients did not finish", left)
			}
		})
	}
}

// exchange sends size bytes on a coroutine of its own and reads them back.
func exchange(ctx context.Context, l *loop.Loop, c *loop.Conn, size int) error {
	sent := make([]byte, size)
	_, _ = rand.Read(sent)
	l.Go(loop.Normal, "send", func(ctx context.Context) error {
		if _, err := c.Write(ctx, sent); err != nil {
			return err
		}
		return c.CloseWrite()
	})
	got, err := io.ReadAll(c.Bind(ctx))
	if err == nil && !bytes.Equal(got, sent) {
		err = errors.New("what came back is not what was sent")
	}
	return err
}

func TestConnect(t *testing.T) {
	l := loop.New(&loop.Options{Debug: true})
	ln, err := l.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.Go(loop.IO, "accept", echoAll(l, ln))
	l.Go(loop.Normal, "client", func(ctx context.Context) error {
		defer l.Stop()
		c, err := loop.Connect(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if c.RemoteAddr().String() != ln.Addr().String() {
			t.Errorf("connected to %v, want %v", c.RemoteAddr(), ln.Addr())
		}
		return exchange(ctx, l, c, 1000)
	})
	must(t, l.Run(t.Context()))
	if _, err := loop.Connect(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("Connect works without a coroutine")
	}
}

// What ends a wait for a silent peer.
func TestReadEnds(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			_, addr := serve(t, k.listen(t), &silent{}, nil)
			l := loop.New(&loop.Options{Debug: true, Slow: -1})
			var got [4]error
			l.Go(loop.Normal, "client", func(ctx context.Context) error {
				defer l.Stop()
				raw, err := loop.Await(ctx, func(context.Context) (net.Conn, error) { return k.dial(addr) })
				if err != nil {
					return err
				}
				c, err := l.NewConn(raw)
				if err != nil {
					return err
				}
				buf := make([]byte, 1)
				short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				defer cancel()
				_, got[0] = c.Read(short, buf)
				ended := false
				l.Go(loop.Normal, "waits", func(ctx context.Context) error {
					_, got[1] = c.Read(ctx, buf)
					ended = true
					return nil
				})
				_, got[2] = c.Read(ctx, buf)
				if err := c.Close(); err != nil {
					return err
				}
				for !ended {
					if err := loop.Yield(ctx); err != nil {
						return err
					}
				}
				_, got[3] = c.Read(ctx, buf)
				return nil
			})
			must(t, l.Run(t.Context()))
			for i, want := range []error{context.DeadlineExceeded, net.ErrClosed, loop.ErrBusy, net.ErrClosed} {
				if !errors.Is(got[i], want) {
					t.Errorf("read %d: %v, want %v", i, got[i], want)
				}
			}
		})
	}
}

// silent says nothing.
type silent struct{}

func (*silent) Made(*loop.Transport)         {}
func (*silent) Data(*loop.Transport, []byte) {}
func (*silent) EOF(*loop.Transport) bool     { return false }
func (*silent) Lost(*loop.Transport, error)  {}

// A peer that sends without end does not keep a coroutine from taking turns.
func TestFastPeerIsFair(t *testing.T) {
	l := loop.New(nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	sender := make(chan error, 1)
	go func() { // ends when the reader closes
		c, err := ln.Accept()
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = c.Write(chunk)
		}
		sender <- c.Close()
	}()
	turns, reads := 0, 0
	l.Go(loop.Normal, "reader", func(ctx context.Context) error {
		c, err := loop.Connect(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(loop.Normal, "other", func(ctx context.Context) error {
			for ctx.Err() == nil {
				turns++
				if err := loop.Yield(ctx); err != nil {
					return nil
				}
			}
			return nil
		})
		for buf := make([]byte, 512); reads < 5000; reads++ {
			if _, err := c.Read(ctx, buf); err != nil {
				return err
			}
		}
		l.Stop()
		return nil
	})
	must(t, l.Run(t.Context()))
	must(t, <-sender)
	if turns < 5000/16 {
		t.Errorf("%d turns of another coroutine during %d reads", turns, reads)
	}
}

func TestPackets(t *testing.T) {
	dir := t.TempDir()
	for _, at := range [][4]string{
		{"udp4", "127.0.0.1:0", "127.0.0.1:0"}, {"udp6", "[::1]:0", "[::1]:0"}, {"udp", "127.0.0.1:0", ":0"},
		{"unixgram", filepath.Join(dir, "a"), filepath.Join(dir, "b")}, {"udp4", "127.0.0.1:0", "127.0.0.1:0", "goroutines"},
	} {
		t.Run(at[0]+at[3], func(t *testing.T) {
			l := loop.New(&loop.Options{Debug: true})
			listen := l.ListenPacket
			if at[3] != "" {
				listen = func(network, addr string) (*loop.PacketConn, error) {
					c, err := net.ListenPacket(network, addr)
					must(t, err)
					return l.NewPacketConn(struct{ net.PacketConn }{c}) // hides its kind
				}
			}
			a, err := listen(at[0], at[1])
			if err != nil && at[0] == "udp6" {
				t.Skip("no IPv6 here: ", err)
			}
			must(t, err)
			b, err := listen(at[0], at[2])
			must(t, err)
			l.Go(loop.Normal, "echo", func(ctx context.Context) error {
				defer a.Close()
				buf := make([]byte, 2000)
				for {
					n, from, err := a.ReadFrom(ctx, buf)
					if err != nil {
						return nil // the loop ends
					}
					if err := a.WriteTo(ctx, buf[:n], from); err != nil {
						return err
					}
				}
			})
			l.Go(loop.Normal, "client", func(ctx context.Context) error {
				defer l.Stop()
				defer b.Close()
				buf := make([]byte, 2000)
				for i := range 50 {
					want := bytes.Repeat([]byte{byte(i)}, i*20) // also an empty one
					if err := b.WriteTo(ctx, want, a.LocalAddr()); err != nil {
						return err
					}
					n, from, err := b.ReadFrom(ctx, buf)
					if err != nil || !bytes.Equal(buf[:n], want) || from.String() != a.LocalAddr().String() {
						t.Errorf("datagram %d: got %d bytes from %v, %v", i, n, from, err)
					}
				}
				return nil
			})
			must(t, l.Run(t.Context()))
		})
	}
}

// Both loops of a pool get connections, and answer.
func TestPool(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			pool := loop.NewPool(2, &loop.Options{Debug: true, Slow: -1})
			var mu sync.Mutex
			used := map[*loop.Loop]int{}
			at, err := pool.Serve(network, addr, func() loop.Protocol {
				return &counted{note: func(l *loop.Loop) {
					mu.Lock()
					defer mu.Unlock()
					used[l]++
				}}
			}, nil)
			must(t, err)
			done := make(chan error, 1)
			go func() { done <- pool.Run(context.Background()) }() // ends below
			const n = 64
			for i := range n {
				c, err := net.Dial(network, at.String())
				must(t, err)
				_, err = c.Write([]byte{byte(i)})
				must(t, err)
				var buf [1]byte
				_, err = io.ReadFull(c, buf[:])
				if err != nil || buf[0] != byte(i) {
					t.Errorf("connection %d: %v, %v", i, buf, err)
				}
				must(t, c.Close())
			}
			pool.Stop()
			must(t, <-done)
			var each []int
			for _, c := range used {
				each = append(each, c)
			}
			if len(each) != 2 || each[0]+each[1] != n || slices.Min(each) == 0 {
				t.Errorf("connections of each loop: %v", each)
			}
		})
	}
}

type counted struct {
	silent
	note func(l *loop.Loop)
}

func (c *counted) Made(t *loop.Transport)         { c.note(t.Loop()) }
func (*counted) Data(t *loop.Transport, p []byte) { _, _ = t.Write(p) }
