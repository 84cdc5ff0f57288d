package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/leat-dev/leat/fault"
)

// natsBus is a [Bus] on core NATS.
type natsBus struct {
	nc     *nats.Conn
	cancel context.CancelFunc
	ctx    context.Context // of all requests that are being served

	mu      sync.Mutex
	closed  bool
	serving sync.WaitGroup
}

// pendingBytes is what a subscription holds before messages are dropped; the
// windows of the links keep far below.
const pendingBytes = 256 << 20

// newBus returns a bus on nc, which it owns.
func newBus(nc *nats.Conn) *natsBus {
	b := &natsBus{nc: nc}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// connect reaches a server by URL.
func connect(url, token, name string) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		// What is sent while there is no connection is lost at once: the
		// links send it again, and later.
		nats.ReconnectBufSize(-1), nats.Timeout(3 * time.Second),
		// The default prints to standard error.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if token != "" {
		opts = append(opts, nats.Token(token))
	}
	nc, err := nats.Connect(url, opts...)
	switch {
	case err == nil:
		return nc, nil
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fault.New("connect", url, fault.Permission, err)
	}
	return nil, fault.New("connect", url, fault.Unavailable, err)
}

// Publish implements Bus.
func (b *natsBus) Publish(subject string, data []byte) error { return b.nc.Publish(subject, data) }

// Subscribe implements Bus.
func (b *natsBus) Subscribe(subject string, fn func(string, []byte)) (func(), error) {
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) { fn(m.Subject, m.Data) })
	if err != nil {
		return nil, err
	}
	if err := sub.SetPendingLimits(-1, pendingBytes); err != nil {
		return nil, err
	}
	// Who publishes next, from any connection, must be heard.
	if err := b.nc.FlushTimeout(10 * time.Second); err != nil {
		return nil, fault.New("subscribe", subject, fault.Unavailable, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Request implements Bus.
func (b *natsBus) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	m, err := b.nc.RequestWithContext(ctx, subject, data)
	switch {
	case err == nil:
		return m.Data, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fault.New("request", subject, fault.Unavailable, errors.New("nobody answers there"))
	}
	return nil, fault.New("request", subject, fault.Unknown, err)
}

// Serve implements Bus.
func (b *natsBus) Serve(subject string, fn func(context.Context, []byte) []byte) (func(), error) {
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) {
		if !b.begin() {
			return
		}
		// owner: the bus; Close cancels it and waits.
		go func() {
			defer b.serving.Done()
			if answer := fn(b.ctx, m.Data); answer != nil && m.Reply != "" {
				_ = m.Respond(answer) // who asked may be gone
			}
		}()
	})
	if err != nil {
		return nil, err
	}
	if err := b.nc.FlushTimeout(10 * time.Second); err != nil {
		return nil, fault.New("subscribe", subject, fault.Unavailable, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

func (b *natsBus) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.serving.Add(1)
	}
	return !b.closed
}

// Close implements Bus.
func (b *natsBus) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.serving.Wait()
	_ = b.nc.FlushTimeout(time.Second)
	b.nc.Close()
}
