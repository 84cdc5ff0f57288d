package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/internal/natsd"
)

// Options tunes [Start].
type Options struct {
	// Workers is how many run in this process; 0 means one for each two
	// processors, at least 1; negative means none.
	Workers int
	// Slots and Width are those of each worker; see [WorkerOptions]. Slots 0
	// divides the processors among the workers.
	Slots int
	Width int
	// Dir keeps the log, so that jobs survive a restart; empty means a
	// temporary folder that Close removes.
	Dir string
	// Sync writes the log through to the disk at each step.
	Sync bool
	// Listen is "host:port" where workers and clients of other processes
	// connect; empty means no port.
	Listen string
	// Token is asked of connections from other processes, and by workers of
	// each other. Without Listen, a random one is made.
	Token string
	// Namespace is that of the cluster. Default "default".
	Namespace string
	// Mux lists and opens inputs. Required; it stays the caller's.
	Mux *fsys.Mux
	// Log gets what people may want to know; nil discards it.
	Log *slog.Logger
}

// A Cluster is a server, a scheduler and workers in this process. It is safe
// for concurrent use.
type Cluster struct {
	opts  Options
	srv   *natsd.Server
	sched *Scheduler

	mu      sync.Mutex
	workers []*Worker
	clients []*Client
}

// Start starts a cluster in this process, which takes milliseconds. It waits
// for the scheduler, and not for the workers.
func Start(ctx context.Context, opts *Options) (*Cluster, error) {
	c := &Cluster{}
	if opts != nil {
		c.opts = *opts
	}
	o := &c.opts
	if o.Mux == nil {
		return nil, fault.New("start cluster", "", fault.Invalid, errors.New("no Mux to open inputs with"))
	}
	if o.Workers == 0 {
		o.Workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.Slots <= 0 && o.Workers > 0 {
		o.Slots = max(1, runtime.GOMAXPROCS(0)/o.Workers)
	}
	if o.Token == "" && o.Listen == "" {
		o.Token = rand.Text()
	}
	var err error
	if c.srv, err = natsd.Start(natsd.Options{Dir: o.Dir, Listen: o.Listen, Sync: o.Sync, Token: o.Token, Log: o.Log}); err != nil {
		return nil, err
	}
	if err := c.fill(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// fill starts the scheduler and the workers.
func (c *Cluster) fill(ctx context.Context) error {
	nc, err := c.srv.Conn()
	if err != nil {
		return err
	}
	c.sched, err = StartScheduler(ctx, nc, &SchedulerOptions{Namespace: c.opts.Namespace, Mux: c.opts.Mux, Log: c.opts.Log})
	if err != nil {
		return err
	}
	for range max(0, c.opts.Workers) {
		if _, err := c.AddWorker(); err != nil {
			return err
		}
	}
	return nil
}

// AddWorker starts a further worker in this process.
func (c *Cluster) AddWorker() (*Worker, error) {
	nc, err := c.srv.Conn()
	if err != nil {
		return nil, err
	}
	w, err := StartWorker(nc, &WorkerOptions{
		Namespace: c.opts.Namespace, Slots: c.opts.Slots, Width: c.opts.Width, Token: c.opts.Token,
		Mux: c.opts.Mux, Exec: true, Log: c.opts.Log,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.workers = append(c.workers, w)
	c.mu.Unlock()
	return w, nil
}

// Client returns a new client of the cluster. Closing it is optional: Close
// of the cluster does.
func (c *Cluster) Client(ctx context.Context) (*Client, error) {
	nc, err := c.srv.Conn()
	if err != nil {
		return nil, err
	}
	cl, err := NewClient(ctx, nc, &ClientOptions{Namespace: c.opts.Namespace, PeerToken: c.opts.Token, Log: c.opts.Log})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.clients = append(c.clients, cl)
	c.mu.Unlock()
	return cl, nil
}

// URL returns where other processes connect to, or "" without Listen.
func (c *Cluster) URL() string { return c.srv.URL() }

// Done is closed when the scheduler has ended; Err then says why.
func (c *Cluster) Done() <-chan struct{} { return c.sched.Done() }

// Err returns why the scheduler ended by itself, or nil.
func (c *Cluster) Err() error { return c.sched.Err() }

// Close cancels the jobs of this process's clients, ends everything and
// waits. With a Dir, jobs of other clients go on when a cluster is started
// on it again soon enough for them.
func (c *Cluster) Close() {
	c.mu.Lock()
	workers, clients := c.workers, c.clients
	c.workers, c.clients = nil, nil
	c.mu.Unlock()
	for _, cl := range clients {
		cl.Close()
	}
	var leaving sync.WaitGroup
	for _, w := range workers {
		leaving.Go(w.Close)
	}
	leaving.Wait()
	if c.sched != nil {
		c.sched.Close()
	}
	c.srv.Close()
}
