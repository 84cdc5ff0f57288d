package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/internal/natsd"
	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/sched"
)

// SchedulerOptions tunes [StartScheduler].
type SchedulerOptions struct {
	// Namespace keeps clusters on one server apart: letters, digits, "-" and
	// "_". Default "default".
	Namespace string
	// Name says who leads, for people. Default host and process id.
	Name string
	// Mux opens what jobs list. Required.
	Mux *fsys.Mux
	// DeadAfter is how long a worker may be silent before it is lost.
	// Default 3 s, twelve heartbeats.
	DeadAfter time.Duration
	// ClientDeadAfter is the same for clients, whose jobs then end. Default
	// 10 s.
	ClientDeadAfter time.Duration
	// Machine tunes the decisions; all schedulers of a log need the same.
	Machine *sched.Options
	// Log gets what people may want to know; nil discards it.
	Log *slog.Logger

	timing       timing
	compactBytes int64
}

func (o *SchedulerOptions) withDefaults() (SchedulerOptions, error) {
	var c SchedulerOptions
	if o != nil {
		c = *o
	}
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Name == "" {
		host, _ := os.Hostname()
		c.Name = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.DeadAfter <= 0 {
		c.DeadAfter = 3 * time.Second
	}
	if c.ClientDeadAfter <= 0 {
		c.ClientDeadAfter = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.timing == (timing{}) {
		c.timing = defaultTiming
	}
	if c.compactBytes == 0 {
		c.compactBytes = compactBytes
	}
	if c.Mux == nil {
		return c, fault.New("start scheduler", "", fault.Invalid, errors.New("no Mux to list inputs with"))
	}
	return c, checkNamespace(c.Namespace)
}

// A Scheduler hosts the machine that decides: it takes inputs from the bus,
// puts them into the log, lets the machine step, and carries out what the
// machine says. It is safe for concurrent use.
type Scheduler struct {
	opts  SchedulerOptions
	bus   Bus
	names subjects
	store *store
	epoch uint64
	queue *intake
	cache *recordCache
	loop  *loop.Loop
	group sync.WaitGroup // every goroutine of the scheduler

	ctx    context.Context // ends with the scheduler
	cancel context.CancelCauseFunc
	done   chan struct{}

	// These belong to the loop.
	machine   *sched.Machine
	center    *sched.Center
	expanders map[string]*expander
	joins     map[string]*sched.Join // of the workers, by session

	// These belong to the appender.
	lastSeq uint64
	logged  int64 // bytes since the last compaction

	show    chan struct{} // holds one token: the workers changed
	compact atomic.Bool   // the machine needs nothing of the log
	began   time.Time
	base    int64 // time of the log when this scheduler began

	mu      sync.Mutex
	remotes map[string]*remote
	dead    recently
	closing bool
}

// StartScheduler becomes the leader of the cluster on the server behind nc,
// waiting for as long as another one is, replays the log and begins to
// serve. The scheduler owns nc from then on. [Scheduler.Close] ends it;
// [Scheduler.Done] says that it ended by itself, when another one took over
// or the log failed.
func StartScheduler(ctx context.Context, nc *nats.Conn, opts *SchedulerOptions) (*Scheduler, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	bus := newBus(nc)
	if err := natsd.Check(ctx, nc); err != nil {
		bus.Close()
		return nil, err
	}
	st, err := openStore(ctx, nc, bus, subjects(o.Namespace))
	if err != nil {
		bus.Close()
		return nil, err
	}
	return startScheduler(ctx, bus, st, o)
}

// startScheduler is StartScheduler on any bus, which it owns.
func startScheduler(ctx context.Context, bus Bus, st *store, o SchedulerOptions) (*Scheduler, error) {
	s := &Scheduler{
		opts: o, bus: bus, names: subjects(o.Namespace), store: st,
		queue: newIntake(), cache: newRecordCache(st.log), loop: loop.New(nil), done: make(chan struct{}),
		machine: sched.NewMachine(o.Machine), center: sched.NewCenter(), expanders: map[string]*expander{}, joins: map[string]*sched.Join{},
		show: make(chan struct{}, 1), began: time.Now(), remotes: map[string]*remote{},
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	if err := s.begin(ctx); err != nil {
		s.cancel(err)
		s.group.Wait()
		bus.Close()
		return nil, err
	}
	// owner: the scheduler; Close waits for done.
	go func() {
		defer close(s.done)
		s.run()
	}()
	return s, nil
}

// begin takes the lead, replays the log and opens the epoch.
func (s *Scheduler) begin(ctx context.Context) error {
	var err error
	if s.epoch, err = s.store.el.Campaign(ctx, s.opts.Name); err != nil {
		return err
	}
	last, epoch, at, err := replay(ctx, s.store.log, s.remember)
	if err != nil {
		return fault.New("start scheduler", "", fault.Unknown, err)
	}
	if epoch >= s.epoch {
		return fault.New("start scheduler", "", fault.Corrupt,
			fmt.Errorf("the log is of epoch %d and the leader key gave %d: the bucket of the key was lost; remove the log stream too", epoch, s.epoch))
	}
	s.lastSeq, s.base = last, at
	in := &sched.Input{At: s.now(), Epoch: &sched.Epoch{Epoch: s.epoch}}
	if err := s.appendRecord(ctx, []entry{{in, encodeInput(in)}}); err != nil {
		return err
	}
	s.mu.Lock()
	for _, name := range s.machine.Sessions() {
		_, worker := s.joins[name]
		num := s.machine.LastNum(name)
		s.addRemote(name, !worker, num+1).out.logged(num) // says who leads now
	}
	s.mu.Unlock()
	s.apply([]*sched.Input{in})
	return nil
}

// remember replays one input; what it decided then is decided again by the
// Epoch that follows.
func (s *Scheduler) remember(in *sched.Input) {
	s.machine.Step(*in)
	s.noteSessions(in)
}

// noteSessions keeps who joined and who is gone.
func (s *Scheduler) noteSessions(in *sched.Input) {
	switch {
	case in.Join != nil:
		s.joins[in.From] = in.Join
	case in.Lost != nil:
		if j := s.joins[in.Lost.Session]; j != nil {
			s.holderLost(in.Lost.Session, j)
		}
		delete(s.joins, in.Lost.Session)
		s.mu.Lock()
		s.dead.add(in.Lost.Session)
		s.mu.Unlock()
	case in.Restore != nil:
		for _, st := range in.Restore.Sessions {
			if st.Join != nil {
				s.joins[st.Name] = st.Join
			}
		}
	}
}

// now is the time of the log: monotonic, and never before what is in it.
func (s *Scheduler) now() int64 { return s.base + int64(time.Since(s.began)) }

// run serves until the context ends.
func (s *Scheduler) run() {
	stops, err := s.subscribe()
	if err != nil {
		s.fail(err)
	}
	s.group.Go(func() { _ = s.loop.Run(s.ctx) })
	s.group.Go(s.appender)
	s.group.Go(s.detector)
	s.group.Go(s.beacons)
	s.group.Go(s.showWorkers)
	<-s.ctx.Done()
	for _, stop := range stops {
		stop()
	}
	s.mu.Lock()
	s.closing = true // a callback that still runs starts no outbox
	s.mu.Unlock()
	s.group.Wait()
	if errors.Is(context.Cause(s.ctx), errClosed) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := s.store.el.Resign(ctx, s.epoch); err != nil {
			s.opts.Log.Debug("resign", "err", err) // the next one waits for silence instead
		}
		cancel()
	}
	s.bus.Close()
}

// subscribe begins to listen to peers and to other leaders.
func (s *Scheduler) subscribe() (stops []func(), err error) {
	add := func(stop func(), e error) {
		if e != nil {
			err = e
			return
		}
		stops = append(stops, stop)
	}
	add(s.bus.Subscribe(s.names.in("*"), s.onInput))
	add(s.bus.Subscribe(s.names.beat("*"), s.onBeat))
	add(s.bus.Subscribe(s.names.leader(), s.onBeacon))
	add(s.bus.Serve(s.names.center(), s.serveCenter))
	return stops, err
}

// errClosed is the cause of an orderly end.
var errClosed = errors.New("scheduler was closed")

// Close ends the scheduler and waits. Jobs stay in the log: a scheduler that
// starts on it goes on with them.
func (s *Scheduler) Close() {
	s.cancel(errClosed)
	<-s.done
}

// Done is closed when the scheduler has ended.
func (s *Scheduler) Done() <-chan struct{} { return s.done }

// Err returns why the scheduler ended by itself, or nil.
func (s *Scheduler) Err() error {
	if err := context.Cause(s.ctx); err != nil && !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// fail ends the scheduler.
func (s *Scheduler) fail(err error) {
	if errors.Is(err, errFenced) {
		err = fault.New("schedule", "", fault.Refused, fmt.Errorf("%w: this one steps down", err))
	}
	s.cancel(err)
}
