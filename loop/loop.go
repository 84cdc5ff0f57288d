package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Priority orders callbacks that are ready at the same time.
type Priority int

// The priorities, highest first.
const (
	Control Priority = iota // heartbeats, cancellation: what keeps a system together
	IO                      // data has come or gone
	Normal                  // everything else
	Idle                    // housekeeping, when nothing else is to do
	priorities
)

// String returns the priority's name.
func (p Priority) String() string {
	if p < 0 || p >= priorities {
		return fmt.Sprintf("priority %d", int(p))
	}
	return [priorities]string{"control", "io", "normal", "idle"}[p]
}

// Options are the settings of a loop. The zero value and nil mean the
// defaults.
type Options struct {
	// Starve is how many callbacks of higher priorities may run in a row
	// while one of a lower priority waits; then it is run. Default: 64, which
	// is a few tens of microseconds of short callbacks. A negative value lets
	// them wait for ever.
	Starve int
	// Failed is told, on the loop's goroutine or in the coroutine itself, of
	// the error of a coroutine started with [Loop.Go]: a [*task.TaskError],
	// also for [runtime.Goexit], or a [*task.PanicError]. Default: the first
	// of them ends the loop; Run returns the error, or raises the panic.
	Failed func(error)
	// Budget is how many operations of a coroutine in a row may have no need
	// to wait before other callbacks that are ready get a turn. Default: 128.
	// A negative value sets no bound.
	Budget int
	// Spare is how many free coroutines are kept for a longer time. Default:
	// 256, which is about 800 KiB. A negative value keeps none.
	Spare int
	// Blocking is how many functions of [Await] run at a time. Default: 64.
	Blocking int
	// Clock is where the time comes from. Default: the machine's monotonic
	// clock. With another one the loop does not sleep for a timer: it calls
	// Skip when it has nothing else to do, waits for nothing from outside
	// (see [Loop.Hold]) and watches no descriptor.
	Clock Clock
	// Pick returns which of the n callbacks of one priority that are ready,
	// counted from the oldest, is the next. Default: the oldest. It is for
	// tests that look for bugs of order.
	Pick func(pri Priority, n int) int
	// Finite makes [Loop.Run] return when nothing can ever run again: no
	// callback is ready, no timer set, no descriptor watched, and nobody
	// holds the loop, see [Loop.Hold]. The error is nil if nobody waits for
	// the loop either, else [ErrStuck]. Without Finite such a loop sleeps
	// until somebody posts.
	Finite bool
	// Debug looks for mistakes, at some cost: a method that is for the loop's
	// goroutine panics on another one, Slow is 100 ms unless set, and what
	// was left open when the loop ended is logged with the place it was made,
	// and so are coroutines that had to be ended with it.
	Debug bool
	// Slow is how long a callback may run before its stack is logged while it
	// still runs. Default: no limit.
	Slow time.Duration
	// Log receives what Debug and Slow find. Default: [slog.Default].
	Log *slog.Logger
}

const defaultStarve = 64

var (
	// ErrStopped is returned by [Loop.Call] when the loop ended before the
	// callback had run to its end, and by [Loop.Run] after the first time.
	ErrStopped = errors.New("loop has ended")
	// ErrOnLoop is returned by [Loop.Call] on the loop's own goroutine, where
	// it would wait for itself. Call the function directly there.
	ErrOnLoop = errors.New("call from the loop's own goroutine")
	// ErrStuck is returned by [Loop.Run] of a loop that is [Options.Finite]:
	// somebody waits for what can never happen.
	ErrStuck = errors.New("nothing can ever run again")
)

// A Loop runs callbacks on one goroutine. Make it with [New]. Its methods
// are safe for concurrent use unless they say otherwise.
type Loop struct {
	starve int
	clock  Clock // nil: the machine's
	pick   func(Priority, int) int
	finite bool
	base   time.Time     // what the machine's clock is counted from
	wake   chan struct{} // one token, sent by who takes parked away
	done   chan struct{} // closed when Run returns
	debug  debugger
	own    sync.WaitGroup  // goroutines that Run waits for
	life   context.Context // ends when no callback will run any more
	die    context.CancelFunc
	ran    atomic.Uint64 // callbacks run
	posted atomic.Uint64 // callbacks accepted
	fresh  atomic.Bool   // mu guards news for the loop: inbox, due timers, state
	first  atomic.Int64  // deadline of the first timer, or never
	held   atomic.Int64  // see Hold

	mu     sync.Mutex
	inbox  [priorities][]func()
	timers timerHeap
	set    uint64      // timers made so far
	timer  *time.Timer // calls due at the first deadline or earlier
	fired  bool        // it has, and is to be set again
	state  state
	owner  uint64 // id of the goroutine in Run
	parked sleep  // how that goroutine sleeps, or is about to

	// Only for the goroutine in Run.
	ready  [priorities]line
	passed [priorities]int // callbacks of higher priority run while the line waited
	since  int             // callbacks run since it looked at timers and descriptors
	io     files
	conns  conns
	co     coros
	err    error // why it stops, if not as told
}

// A sleep is what it takes to wake the loop.
type sleep int

const (
	awake sleep = iota
	onChannel
	onPoller
)

type state int

const (
	created state = iota
	running
	stopping // Run returns after the present callback
	ended
)

// New returns a loop. What is posted before [Loop.Run] waits for it.
func New(opts *Options) *Loop {
	if opts == nil {
		opts = &Options{}
	}
	l := &Loop{
		starve: defaultStarve, clock: opts.Clock, pick: opts.Pick, finite: opts.Finite,
		base: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if opts.Starve != 0 {
		l.starve = opts.Starve
	}
	l.first.Store(int64(never))
	l.life, l.die = context.WithCancel(context.Background())
	l.conns.init()
	l.debug.init(opts)
	l.co.setUp(l, opts)
	return l
}

// Post has fn run on the loop's goroutine. It never blocks: the line is
// unbounded, and [Loop.Stats] tells its length. It reports false, and fn
// will not run, once the loop has ended or [Loop.Stop] was called. What was
// accepted and has not begun when the loop ends is dropped.
func (l *Loop) Post(pri Priority, fn func()) bool {
	check(pri, fn)
	l.mu.Lock()
	if l.state >= stopping {
		l.mu.Unlock()
		return false
	}
	l.inbox[pri] = append(l.inbox[pri], fn)
	l.posted.Add(1)
	l.tellAndUnlock()
	return true
}

// tellAndUnlock makes the loop look at what mu guards, and unlocks mu.
func (l *Loop) tellAndUnlock() {
	l.fresh.Store(true)
	how := l.parked
	l.parked = awake
	l.mu.Unlock()
	switch how {
	case onChannel:
		l.wake <- struct{}{} // has room: parked is taken away once a sleep
	case onPoller:
		l.io.poller.wake()
	}
}

// Hold says that a callback will be posted from outside, so that a loop that
// is [Options.Finite] waits for it, and one with a [Options.Clock] lets no
// time pass meanwhile. The caller calls release once, after the post; more
// calls of it do nothing. Both are safe from any goroutine.
func (l *Loop) Hold() (release func()) {
	l.held.Add(1)
	return sync.OnceFunc(func() {
		l.held.Add(-1)
		l.mu.Lock()
		l.tellAndUnlock()
	})
}

// Call has fn run on the loop's goroutine and waits until it has. It returns
// [ErrOnLoop] on that goroutine itself, [ErrStopped] if the loop ended
// first, and the error of ctx if that ended first. On an error fn has not
// run and will not, except that a panic of fn, which ends the loop, is
// ErrStopped too. Once fn has begun, Call waits for it whatever ctx does.
func (l *Loop) Call(ctx context.Context, pri Priority, fn func()) error {
	check(pri, fn)
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.onLoop() {
		return ErrOnLoop
	}
	var (
		claimed  atomic.Bool // by the loop to run fn, or by us to give up
		finished = make(chan struct{})
		err      = ErrStopped
	)
	posted := l.Post(pri, func() {
		if claimed.CompareAndSwap(false, true) {
			defer close(finished)
			fn()
			err = nil
		}
	})
	if !posted {
		return ErrStopped
	}
	select {
	case <-finished:
		return err
	case <-l.done:
	case <-ctx.Done():
	}
	if !claimed.CompareAndSwap(false, true) {
		<-finished
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrStopped
}

// onLoop reports whether the caller is the loop's goroutine or one of its
// coroutines.
func (l *Loop) onLoop() bool { return l.co.onLoop() }

// ShouldYield reports whether something waits that goes before idle work, or
// the loop is to end. A long idle callback asks now and then, say every few
// microseconds, and posts the rest of its work when told so. It looks at
// timers and descriptors at most every 50 µs; in between it costs some 30 ns.
// Only for callbacks.
func (l *Loop) ShouldYield() bool {
	if l.fresh.Load() || l.waiting() {
		return true
	}
	now := l.now()
	if now >= time.Duration(l.first.Load()) {
		l.fresh.Store(true)
		return true
	}
	if l.io.active == 0 || now-l.io.looked < yieldEvery {
		return false
	}
	l.look(now)
	return l.waiting()
}

// waiting reports whether something other than idle work is ready.
func (l *Loop) waiting() bool {
	for p := range Idle {
		if l.ready[p].len() > 0 {
			return true
		}
	}
	return false
}

// Stop makes [Loop.Run] return nil after the callback that runs at the
// moment. It does not wait for that, may be called more than once, and from
// callbacks, and also before Run.
func (l *Loop) Stop() {
	l.mu.Lock()
	if l.state < stopping {
		l.state = stopping
	}
	l.tellAndUnlock()
}

// Stats are figures about a loop.
type Stats struct {
	// Posted is the number of callbacks accepted since the start, by Post
	// and Call and from timers that came due and descriptors that got ready.
	Posted uint64
	// Run is how many of them have begun.
	Run uint64
	// Waiting is how many wait at the moment.
	Waiting uint64
	// Timers is how many timers are set and not due.
	Timers int
}

// Stats returns the figures of the moment.
func (l *Loop) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Run: l.ran.Load(), Timers: len(l.timers)} // Run first: it follows Posted
	s.Posted = l.posted.Load()
	if l.state != ended {
		s.Waiting = s.Posted - s.Run
	}
	return s
}

func check(pri Priority, fn func()) {
	if pri < 0 || pri >= priorities {
		panic("loop: " + pri.String() + " does not exist")
	}
	if fn == nil {
		panic("loop: nil callback")
	}
}
