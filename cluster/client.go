package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// ClientOptions tunes [Dial].
type ClientOptions struct {
	// Namespace is that of the cluster. Default "default".
	Namespace string
	// Token is what the server asks of connections, PeerToken what workers
	// ask of each other.
	Token     string
	PeerToken string
	// Name is for people.
	Name string
	// Timeout bounds how long Dial waits for a scheduler. Default 5 s.
	Timeout time.Duration
	// Log gets what people may want to know; nil discards it.
	Log *slog.Logger

	timing timing
}

func (o *ClientOptions) withDefaults() (ClientOptions, error) {
	var c ClientOptions
	if o != nil {
		c = *o
	}
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.timing == (timing{}) {
		c.timing = defaultTiming
	}
	return c, checkNamespace(c.Namespace)
}

// A Client submits jobs to a cluster and gets their results. It is safe for
// concurrent use. Jobs live as long as their client: a cluster that hears
// nothing of it for 10 s cancels them.
type Client struct {
	opts  ClientOptions
	bus   Bus
	nc    *nats.Conn // nil on a bus that is not NATS
	names subjects
	peers *peer.Client

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	done   chan struct{}

	mu     sync.Mutex
	link   *link // of the session that is alive, or nil
	jobs   map[string]*Job
	closed bool
}

// Dial connects to the cluster at a NATS URL and waits until its scheduler
// answers. Errors have kind [fault.Unavailable] when nobody is there. The
// caller closes the client.
func Dial(ctx context.Context, url string, opts *ClientOptions) (*Client, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	nc, err := connect(url, o.Token, "leat client")
	if err != nil {
		return nil, err
	}
	return NewClient(ctx, nc, &o)
}

// NewClient is [Dial] on a connection, which the client owns from then on.
func NewClient(ctx context.Context, nc *nats.Conn, opts *ClientOptions) (*Client, error) {
	o, err := opts.withDefaults()
	if err != nil {
		nc.Close()
		return nil, err
	}
	c, err := newClient(ctx, newBus(nc), o)
	if err == nil {
		c.nc = nc
	}
	return c, err
}

// newClient is NewClient on any bus, which it owns.
func newClient(ctx context.Context, bus Bus, o ClientOptions) (*Client, error) {
	c := &Client{
		opts: o, bus: bus, names: subjects(o.Namespace), jobs: map[string]*Job{}, done: make(chan struct{}),
		peers: peer.NewClient(&peer.ClientOptions{Token: o.PeerToken}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	ready := make(chan struct{})
	// owner: the client; Close waits for done.
	go func() {
		defer close(c.done)
		c.run(ready)
	}()
	timer := time.NewTimer(o.Timeout)
	defer timer.Stop()
	var err error
	select {
	case <-ready:
		return c, nil
	case <-ctx.Done():
		err = fault.New("connect", "", fault.Unknown, ctx.Err())
	case <-timer.C:
		err = fault.New("connect", "", fault.Unavailable,
			fmt.Errorf("no scheduler of namespace %q answered within %v", o.Namespace, o.Timeout))
	}
	c.cancel()
	<-c.done
	c.shut()
	return nil, err
}

// run goes from session to session until the client is closed. ready is
// closed when the first one is in the log.
func (c *Client) run(ready chan<- struct{}) {
	first := sync.OnceFunc(func() { close(ready) })
	for c.ctx.Err() == nil {
		reason, err := c.session(first)
		if c.ctx.Err() == nil && err != nil {
			c.opts.Log.Warn("session failed", "err", err)
			select {
			case <-c.ctx.Done():
			case <-time.After(time.Second):
			}
		} else if c.ctx.Err() == nil {
			c.opts.Log.Warn("the scheduler ended the session", "reason", reason)
		}
	}
}

// session says hello, submits what was not submitted, and serves until the
// session or the client ends.
func (c *Client) session(hello func()) (reason string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := newLink(c.bus, c.names, newSession(), c.opts.timing, c.opts.Log)
	over := make(chan string, 1)
	l.recv = c.receive
	l.reset = func(reason string) { over <- reason }
	if err := l.send(&sched.Input{Hello: &sched.Hello{Name: c.opts.Name}}); err != nil {
		cancel()
		return "", err
	}
	failed := make(chan error, 1)
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := l.run(ctx); err != nil {
			failed <- err
		}
	})
	parts.Go(func() {
		l.drain(ctx)
		if l.acked() {
			hello()
		}
	})
	c.attach(l)
	select {
	case reason = <-over:
	case err = <-failed:
	case <-c.ctx.Done():
		c.leave(l)
	}
	c.detach(l, reason)
	l.end()
	cancel()
	parts.Wait()
	return reason, err
}

// attach makes l the way to the scheduler.
func (c *Client) attach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	for _, j := range c.jobs {
		j.submit(l)
	}
}

// detach ends what hung on a session: jobs that the scheduler had taken are
// gone with it, others are submitted again.
func (c *Client) detach(l *link, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = nil
	acked := l.ackedNum()
	for _, j := range c.jobs {
		if j.submitted > 0 && j.submitted <= acked {
			j.fail(fault.New("map", "", fault.Unavailable, fmt.Errorf("the scheduler ended the session: %s", reason)))
		}
	}
}

// leave says goodbye and waits for a moment that it was heard.
func (c *Client) leave(l *link) {
	if l.send(&sched.Input{Lost: &sched.Lost{Session: l.session, Left: true}}) != nil {
		return // over already
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l.drain(ctx)
}

// send passes an input to the scheduler; between two sessions it is dropped,
// with the jobs it could be about.
func (c *Client) send(in *sched.Input) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.send(in); err != nil {
		c.opts.Log.Debug("send", "err", err)
	}
}

// receive passes a message to its job.
func (c *Client) receive(m *message) {
	switch {
	case m.Deliver != nil:
		c.withJob(m.Deliver.Job, func(j *Job) { j.deliver(m.Deliver) })
	case m.Notice != nil:
		c.withJob(m.Notice.Job, func(j *Job) { j.notice(m.Notice) })
	case m.JobDone != nil:
		c.withJob(m.JobDone.Job, func(j *Job) { j.finish(m.JobDone) })
	}
}

func (c *Client) withJob(id string, fn func(*Job)) {
	c.mu.Lock()
	j := c.jobs[id]
	c.mu.Unlock()
	if j != nil {
		fn(j)
	}
}

// MapOptions tunes [Client.Map].
type MapOptions struct {
	// Retries is how many more tries a failed input gets. Default none.
	Retries int
	// MaxErrors ends the job when that many inputs have failed. 0 means
	// never.
	MaxErrors int64
	// Notice is called when something was lost and is done again. It must
	// not block.
	Notice func(sched.Notice)
}

// Map submits a job. It does not wait for the scheduler. When ctx ends, the
// job is cancelled; [Job.Wait] then waits for its workers to stop. Each job
// has to be waited for.
func (c *Client) Map(ctx context.Context, spec *work.Spec, opts *MapOptions) (*Job, error) {
	var o MapOptions
	if opts != nil {
		o = *opts
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	data, err := spec.Encode()
	if err != nil {
		return nil, err
	}
	const maxSpec = 1 << 20
	if len(data) > maxSpec {
		return nil, fault.New("map", "", fault.Invalid, fmt.Errorf("the job is described by %d bytes; %d are the most", len(data), maxSpec))
	}
	j := newJob(ctx, c, rand.Text(), spec, o)
	j.sub = sched.Submit{
		Job: j.id, Spec: data, Func: spec.Func, Reduce: spec.Reduces(), Retries: max(0, o.Retries),
		MaxErrors: o.MaxErrors - 1, Batch: spec.Batch,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fault.New("map", "", fault.Canceled, errors.New("the client is closed"))
	}
	c.jobs[j.id] = j
	if c.link != nil {
		j.submit(c.link)
	}
	c.group.Go(j.watch)
	return j, nil
}

// Close cancels the jobs that are left, waits for their workers for up to
// 5 s, and leaves the cluster.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	jobs := make([]*Job, 0, len(c.jobs))
	for _, j := range c.jobs {
		jobs = append(jobs, j)
	}
	c.mu.Unlock()
	for _, j := range jobs {
		j.stop(errClosed)
	}
	c.group.Wait()
	c.cancel()
	<-c.done
	c.shut()
}

func (c *Client) shut() {
	c.bus.Close()
	c.peers.Close()
}
