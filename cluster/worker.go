package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// WorkerOptions tunes [StartWorker].
type WorkerOptions struct {
	// Namespace is that of the cluster. Default "default".
	Namespace string
	// Name is for people, and for operations on this worker; no two workers
	// of a cluster should have the same. Default host, process id and a
	// number.
	Name string
	// Slots is how many commands or computing functions run at once; 0 means
	// one per processor.
	Slots int
	// Width is how many inputs may be in flight, most of them waiting for
	// bytes; 0 means 256. At least Slots.
	Width int
	// Listen is where other workers fetch from: "host:port". Default
	// 127.0.0.1:0, a free port.
	Listen string
	// Token is shown to other workers and asked of them; the same for all
	// workers and clients of a cluster.
	Token string
	// Mux opens the inputs. Required.
	Mux *fsys.Mux
	// Exec allows commands, not only functions.
	Exec bool
	// TempDir is for temporary files and large values; empty means that of
	// the system.
	TempDir string
	// MemoryBytes bounds the values in memory; 0 means 256 MiB.
	MemoryBytes int64
	// Log gets what people may want to know; nil discards it.
	Log *slog.Logger

	timing timing
}

var workersStarted atomic.Int64

func (o *WorkerOptions) withDefaults() (WorkerOptions, error) {
	var c WorkerOptions
	if o != nil {
		c = *o
	}
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Name == "" {
		host, _ := os.Hostname()
		c.Name = fmt.Sprintf("%s/%d/%d", host, os.Getpid(), workersStarted.Add(1))
	}
	if c.Slots <= 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	if c.Width <= 0 {
		c.Width = 256
	}
	c.Width = max(c.Width, c.Slots)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.timing == (timing{}) {
		c.timing = defaultTiming
	}
	if c.Mux == nil {
		return c, fault.New("start worker", "", fault.Invalid, errors.New("no Mux to open inputs with"))
	}
	return c, checkNamespace(c.Namespace)
}

// A Worker does what a scheduler leases to it, keeps results, and serves
// them to others. When the scheduler gave it up for lost it drops everything
// and joins again. It is safe for concurrent use.
type Worker struct {
	opts  WorkerOptions
	bus   Bus
	names subjects
	store *peer.Store
	srv   *peer.Server
	peers *peer.Client

	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	joined chan struct{} // closed when a session is in the log

	joinOnce sync.Once
	sessions atomic.Int64 // how many were begun
}

// StartWorker begins to work for the cluster on the server behind nc, which
// the worker owns from then on. It does not wait for a scheduler; see
// [Worker.Joined]. [Worker.Close] leaves the cluster.
func StartWorker(nc *nats.Conn, opts *WorkerOptions) (*Worker, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return startWorker(newBus(nc), o)
}

// startWorker is StartWorker on any bus, which it owns.
func startWorker(bus Bus, o WorkerOptions) (*Worker, error) {
	w := &Worker{opts: o, bus: bus, names: subjects(o.Namespace), done: make(chan struct{}), joined: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	if err := w.open(); err != nil {
		w.close()
		return nil, err
	}
	// owner: the worker; Close waits for done.
	go func() {
		defer close(w.done)
		w.run()
		w.close()
	}()
	return w, nil
}

// open makes the store and its server.
func (w *Worker) open() (err error) {
	w.store, err = peer.NewStore(&peer.StoreOptions{Dir: w.opts.TempDir, MemoryBytes: w.opts.MemoryBytes})
	if err != nil {
		return err
	}
	w.srv, err = peer.NewServer(w.store, &peer.ServerOptions{Listen: w.opts.Listen, Token: w.opts.Token, Log: w.opts.Log})
	if err != nil {
		return err
	}
	w.peers = peer.NewClient(&peer.ClientOptions{Token: w.opts.Token, Own: w.store, OwnAddr: w.srv.Addr()})
	return nil
}

func (w *Worker) close() {
	w.bus.Close()
	if w.peers != nil {
		w.peers.Close()
	}
	if w.srv != nil {
		w.srv.Close()
	}
	if w.store != nil {
		if err := w.store.Close(); err != nil {
			w.opts.Log.Warn("close store", "err", err)
		}
	}
}

// run goes from session to session until the worker is closed.
func (w *Worker) run() {
	for w.ctx.Err() == nil {
		w.sessions.Add(1)
		reason, err := newWorkerSession(w).run()
		w.store.DropAll()
		switch {
		case w.ctx.Err() != nil:
		case err != nil:
			w.opts.Log.Warn("session failed; joining again", "worker", w.opts.Name, "err", err)
			w.pause(time.Second)
		default:
			w.opts.Log.Warn("given up by the scheduler; joining again with nothing in hand", "worker", w.opts.Name, "reason", reason)
		}
	}
}

func (w *Worker) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.ctx.Done():
	case <-t.C:
	}
}

// Name returns the name of the worker.
func (w *Worker) Name() string { return w.opts.Name }

// Addr returns where the worker serves its values, "host:port".
func (w *Worker) Addr() string { return w.srv.Addr() }

// Joined waits until a scheduler has taken the worker in for the first time.
func (w *Worker) Joined(ctx context.Context) error {
	select {
	case <-w.joined:
		return nil
	case <-w.done:
		return fault.New("join", "", fault.Canceled, errors.New("the worker was closed"))
	case <-ctx.Done():
		return fault.New("join", "", fault.KindOf(ctx.Err()), errors.New("no scheduler answered"))
	}
}

// errKilled is the cause of an end without goodbye.
var errKilled = errors.New("worker was killed")

// Close leaves the cluster: commands are stopped, what was not reported is
// done elsewhere, values are dropped. It waits for that, a few seconds at
// most.
func (w *Worker) Close() {
	w.cancel(errClosed)
	<-w.done
}

// Done is closed when the worker has ended.
func (w *Worker) Done() <-chan struct{} { return w.done }

// killed reports whether nobody is to be told.
func (w *Worker) killed() bool { return context.Cause(w.ctx) == errKilled }

// waitFor waits for wg, but not longer than limit.
func waitFor(wg *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	// owner: what wg counts; it ends when that does.
	go func() {
		wg.Wait()
		close(done)
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
