package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "loopback address to listen on; port 0 picks a free one")
	to := flag.String("to", "", "loopback address of the server")
	delay := flag.Duration("delay", 20*time.Millisecond, "how long to hold what clients send")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *to, *delay); err != nil {
		fmt.Fprintln(os.Stderr, "delay:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints the address it listens on.
func run(ctx context.Context, listen, to string, delay time.Duration) error {
	for _, addr := range []string{listen, to} {
		if err := loopback(addr); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println(l.Addr())
	return serve(ctx, l, to, delay)
}

// loopback refuses addresses that other machines could reach.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q: want HOST:PORT: %w", addr, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%q: not a loopback address such as 127.0.0.1", addr)
	}
	return nil
}

// serve relays connections from l to the address to until ctx ends.
func serve(ctx context.Context, l net.Listener, to string, delay time.Duration) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		client, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // too many open files, say: the next one may work
			continue
		}
		// The connection owns the goroutine; it ends with either side.
		go relay(ctx, client, to, delay)
	}
}
