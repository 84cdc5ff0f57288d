package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs an echo server and a relay before it, both ended by the test.
func start(t *testing.T, delay time.Duration) (addr string) {
	t.Helper()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); io.Copy(c, c) })
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		if err := serve(ctx, l, echo.Addr().String(), delay); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); echo.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestRelay(t *testing.T) {
	const delay = 20 * time.Millisecond
	addr := start(t, delay)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			// More than one chunk, so that order is tested too.
			sent := bytes.Repeat([]byte{byte(i), 1, 2, 3, 4, 5, 6}, 10_000)
			began := time.Now()
			wg.Go(func() { c.Write(sent); c.(*net.TCPConn).CloseWrite() })
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("connection %d: %d of %d bytes came back: %v", i, len(got), len(sent), err)
			}
			if took := time.Since(began); took < delay {
				t.Errorf("connection %d: answer after %v, held for less than %v", i, took, delay)
			}
		})
	}
	wg.Wait()
}

func TestServerGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	a, b := net.Pipe()
	defer a.Close()
	relay(t.Context(), b, gone, 0)
	if _, err := a.Read(make([]byte, 1)); err == nil {
		t.Error("the client is not told that the server is gone")
	}
}

func TestLoopbackOnly(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "0.0.0.0:80": false, ":80": false, "192.0.2.1:80": false, "127.0.0.1": false,
	} {
		if err := loopback(addr); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
