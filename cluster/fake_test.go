package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// network is a bus in memory that loses, repeats and reorders what goes
// through it, by a seeded source. Requests and beacons are not disturbed.
type network struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	drop float64 // also the chance to repeat, and to hold back
	subs map[*memSub]bool
	held []memMsg // held back until something else passes
	sent int
	lose func(subject string) bool // decides too, if set
}

type memMsg struct {
	subject string
	data    []byte
}

func newNetwork(seed uint64, drop float64) *network {
	return &network{rnd: rand.New(rand.NewPCG(seed, 1)), drop: drop, subs: map[*memSub]bool{}}
}

// memSub delivers to one subscriber, in order, on its own goroutine.
type memSub struct {
	subject string
	fn      func(string, []byte)
	queue   chan memMsg
	stopped chan struct{}
	once    sync.Once
	serve   func(context.Context, []byte) []byte
}

func (s *memSub) matches(subject string) bool {
	if prefix, wild := strings.CutSuffix(s.subject, "*"); wild {
		rest, ok := strings.CutPrefix(subject, prefix)
		return ok && !strings.Contains(rest, ".")
	}
	return s.subject == subject
}

// memBus is one connection to a network.
type memBus struct {
	net    *network
	cut    chan struct{} // closed when the connection is
	once   sync.Once
	group  sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc
}

func (n *network) connect() *memBus {
	b := &memBus{net: n, cut: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *memBus) Publish(subject string, data []byte) error {
	select {
	case <-b.cut:
		return errors.New("the connection is cut")
	default:
	}
	n := b.net
	n.mu.Lock()
	n.sent++
	msgs := []memMsg{{subject, slices.Clone(data)}}
	if n.lose != nil && n.lose(subject) {
		msgs = nil
	}
	if n.drop > 0 && len(msgs) > 0 && !strings.HasSuffix(subject, ".leader") {
		switch p := n.rnd.Float64(); {
		case p < n.drop:
			msgs = nil
		case p < 2*n.drop:
			msgs = append(msgs, msgs[0])
		case p < 3*n.drop:
			n.held, msgs = append(n.held, msgs...), nil
		case len(n.held) > 0 && p > 0.5:
			msgs = append(msgs, n.held...)
			n.held = nil
		}
	}
	var to []*memSub
	var what []memMsg
	for _, m := range msgs {
		for s := range n.subs {
			if s.fn != nil && s.matches(m.subject) {
				to, what = append(to, s), append(what, m)
			}
		}
	}
	n.mu.Unlock()
	for i, s := range to {
		select {
		case s.queue <- what[i]:
		case <-s.stopped:
		case <-b.cut:
		}
	}
	return nil
}

func (b *memBus) add(s *memSub) func() {
	s.stopped = make(chan struct{})
	b.net.mu.Lock()
	b.net.subs[s] = true
	b.net.mu.Unlock()
	return func() {
		s.once.Do(func() {
			b.net.mu.Lock()
			delete(b.net.subs, s)
			b.net.mu.Unlock()
			close(s.stopped)
		})
	}
}

func (b *memBus) Subscribe(subject string, fn func(string, []byte)) (func(), error) {
	s := &memSub{subject: subject, fn: fn, queue: make(chan memMsg, 4096)}
	stop := b.add(s)
	b.group.Go(func() {
		for {
			select {
			case m := <-s.queue:
				fn(m.subject, m.data)
			case <-s.stopped:
				return
			case <-b.cut:
				stop()
				return
			}
		}
	})
	return stop, nil
}

func (b *memBus) Serve(subject string, fn func(context.Context, []byte) []byte) (func(), error) {
	return b.add(&memSub{subject: subject, serve: fn}), nil
}

func (b *memBus) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	b.net.mu.Lock()
	var to *memSub
	for s := range b.net.subs {
		if s.serve != nil && s.matches(subject) {
			to = s
		}
	}
	b.net.mu.Unlock()
	if to == nil {
		return nil, fault.New("request", subject, fault.Unavailable, errors.New("nobody answers"))
	}
	if answer := to.serve(b.ctx, slices.Clone(data)); answer != nil {
		return answer, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// sever ends the connection at once and without a word.
func (b *memBus) sever() { b.once.Do(func() { close(b.cut) }) }

func (b *memBus) Close() {
	b.cancel()
	b.sever()
	b.group.Wait()
}

// memLog is a [Log] in memory.
type memLog struct {
	mu     sync.Mutex
	first  uint64
	recs   [][]byte
	full   bool
	purged chan uint64 // told of each purge
}

func newMemLog() *memLog { return &memLog{first: 1, purged: make(chan uint64, 100)} }

func (l *memLog) Bounds(context.Context) (uint64, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first, l.first + uint64(len(l.recs)) - 1, nil
}

func (l *memLog) Append(_ context.Context, last uint64, record []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case last != l.first+uint64(len(l.recs))-1:
		return errFenced
	case l.full:
		return fault.New("append to log", "", fault.NoSpace, nil)
	}
	l.recs = append(l.recs, slices.Clone(record))
	return nil
}

func (l *memLog) Read(_ context.Context, seq uint64) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq < l.first || seq >= l.first+uint64(len(l.recs)) {
		return nil, fault.New("read log", "", fault.NotExist, nil)
	}
	return l.recs[seq-l.first], nil
}

func (l *memLog) Purge(_ context.Context, seq uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.first < seq && len(l.recs) > 0 {
		l.first++
		l.recs = l.recs[1:]
	}
	l.purged <- seq
	return nil
}

// memElector lets everybody lead, one after the other.
type memElector struct {
	mu    sync.Mutex
	epoch uint64
}

func (e *memElector) Campaign(context.Context, string) (uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.epoch++
	return e.epoch, nil
}

func (e *memElector) Resign(context.Context, uint64) error { return nil }

// memRegistry forgets everything.
type memRegistry struct{}

func (memRegistry) Set(context.Context, []sched.Join) error       { return nil }
func (memRegistry) Workers(context.Context) ([]sched.Join, error) { return nil, nil }

// fastTiming makes loss cheap to recover from.
var fastTiming = timing{beat: 20 * time.Millisecond, leaderBeat: 20 * time.Millisecond, resend: 20 * time.Millisecond}

// rig is a cluster on a network in memory.
type rig struct {
	t   *testing.T
	net *network
	st  *store
	opt SchedulerOptions

	schedulers []*Scheduler // closed last: who leaves wants to be heard
}

func (r *rig) scheduler() *Scheduler {
	r.t.Helper()
	o, err := r.opt.withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := startScheduler(context.Background(), r.net.connect(), r.st, o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.schedulers = append(r.schedulers, s)
	return s
}

// worker starts a worker and returns its connection too.
func (r *rig) worker(name string) (*Worker, *memBus) {
	r.t.Helper()
	o, err := (&WorkerOptions{Name: name, Mux: r.opt.Mux, Slots: 2, Exec: true, timing: fastTiming}).withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	bus := r.net.connect()
	w, err := startWorker(bus, o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(w.Close)
	return w, bus
}

func (r *rig) client() *Client {
	r.t.Helper()
	o, err := (&ClientOptions{timing: fastTiming, Timeout: 30 * time.Second}).withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := newClient(context.Background(), r.net.connect(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}
