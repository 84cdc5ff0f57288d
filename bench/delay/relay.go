package main

import (
	"context"
	"io"
	"net"
	"time"
)

// A chunk is what one read from the client brought.
type chunk struct {
	data []byte
	due  time.Time
}

// maxQueued is how many chunks of one connection are held at most; then its
// client is not read from, as with a full pipe.
const maxQueued = 256

// relay joins client with a new connection to the server. It returns when
// both directions have ended.
func relay(ctx context.Context, client net.Conn, to string, delay time.Duration) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()

	queue := make(chan chunk, maxQueued)
	done := make(chan struct{})
	// Both goroutines are owned by this call, which waits for them below.
	go hold(client, queue, delay)
	go func() {
		defer close(done)
		io.Copy(client, server)
		client.Close() // ends hold
	}()
	pass(server, queue)
	<-done
}

// hold reads from the client and stamps each chunk with the time at which it
// may go on. It closes the queue at the end of the stream.
func hold(client net.Conn, queue chan<- chunk, delay time.Duration) {
	defer close(queue)
	buf := make([]byte, 16<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 {
			queue <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}

// pass writes chunks to the server when they are due. It empties the queue
// whatever happens, so that hold never waits for ever.
func pass(server net.Conn, queue <-chan chunk) {
	broken := false
	for c := range queue {
		if broken {
			continue
		}
		time.Sleep(time.Until(c.due))
		if _, err := server.Write(c.data); err != nil {
			broken = true
			server.Close()
		}
	}
	if t, ok := server.(*net.TCPConn); ok && !broken {
		t.CloseWrite() // the client is done sending; answers may still come
	}
}
