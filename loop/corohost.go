package loop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leat-dev/leat/task"
)

// host is how package task sees a loop.
type host Loop

// Stack implements [task.Host].
func (h *host) Stack() *task.Stack {
	if c := (*Loop)(h).here(); c != nil {
		return &c.stack
	}
	return nil
}

// Start implements [task.Host].
func (h *host) Start(j task.Job) bool { return (*Loop)(h).start(h.co.now.pri, j) }

// Queue implements [task.Host].
func (h *host) Queue(j task.Job) { (*Loop)(h).queue(h.pri(), j) }

// pri is that of the coroutine at work; there is none in what Post was given.
func (h *host) pri() Priority {
	if h.co.now == nil {
		return Normal
	}
	return h.co.now.pri
}

// Busy implements [task.Host].
func (h *host) Busy() bool { return (*Loop)(h).busy() }

// Budget implements [task.Host].
func (h *host) Budget() int { return h.co.budget }

// Post implements [task.Host].
func (h *host) Post(fn func()) {
	o := &h.co.post
	o.mu.Lock()
	o.fns = append(o.fns, fn)
	(*Loop)(h).tell(Normal)
}

// Suspend implements [task.Host].
func (h *host) Suspend(ctx context.Context, start func(wake func())) error {
	return (*Loop)(h).Suspend(ctx, start)
}

// Stacks implements [task.Listing].
func (h *host) Stacks(yield func(s *task.Stack) bool) {
	for _, c := range h.co.pool.all {
		if c != nil && c.job != nil && !yield(&c.stack) {
			return
		}
	}
}

// Now implements [task.Timer].
func (h *host) Now() time.Time {
	if h.clock != nil {
		return time.Unix(0, 0).Add(h.clock.Now())
	}
	return time.Now()
}

// AfterFunc implements [task.Timer].
func (h *host) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return (*Loop)(h).After(d, Control, f).Stop
}

// Dump implements [task.Listing].
func (h *host) Dump() string {
	who, stack := (*Loop)(h).holder()
	if who == "" {
		return stack
	}
	return fmt.Sprintf("task %q\n%s", who, stack)
}

const (
	// defaultBudget is how many operations in a row may have no need to wait
	// before others get a turn. At 20 ns each that is some microseconds.
	defaultBudget = 128
	// defaultBlocking is how many functions of Await run at a time.
	defaultBlocking = 64
)

// setUp is called once, by New.
func (co *coros) setUp(l *Loop, opts *Options) {
	co.pool.spare, co.budget, co.failed = defaultSpare, defaultBudget, opts.Failed
	blocking := defaultBlocking
	if opts.Spare != 0 {
		co.pool.spare = max(0, opts.Spare)
	}
	if opts.Budget != 0 {
		co.budget = max(0, opts.Budget)
	}
	if opts.Blocking > 0 {
		blocking = opts.Blocking
	}
	co.bridges = task.NewBudget(int64(blocking))
	co.post.bell = make(chan struct{}, 1)
	for p := range priorities {
		co.post.pump[p] = func() { l.pump(p) }
		co.next[p] = func() {
			if j := co.jobs[p].pop(); j != nil {
				l.start(p, j)
			}
		}
	}
}

// beginCoros is called when Run begins.
func (l *Loop) beginCoros(ctx context.Context) {
	l.co.base = task.Goroutine()
	l.co.where.enter(nil)
	l.co.ctx, l.co.cancel = context.WithCancelCause(ctx)
	l.co.root = task.NewRoot(l.co.ctx, (*host)(l))
	l.co.unlist = task.AddHost((*host)(l))
}

// endCoros is deferred by Run: it runs all coroutines to their end, and
// raises or returns what failed in them if Run itself did not.
func (l *Loop) endCoros(err *error) {
	defer l.co.where.leave(l.co.base)
	l.runOut()
	l.co.unlist()
	l.co.cancel(nil)
	if !l.co.normal || l.co.failure == nil {
		return
	}
	if p, ok := l.co.failure.(*task.PanicError); ok {
		panic(p)
	}
	if *err == nil {
		*err = l.co.failure
	} else {
		*err = errors.Join(l.co.failure, *err)
	}
}

// runOut interrupts every wait and runs the coroutines until none is left.
func (l *Loop) runOut() {
	co, o := &l.co, &l.co.post
	l.reportCutOff()
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	co.closing = true
	co.cancel(ErrStopped)
	for _, c := range co.pool.all {
		if c != nil && c.queued { // its place in a line is dropped
			co.last = append(co.last, c)
		}
	}
	for {
		for p := range priorities {
			l.pump(p)
			for j := co.jobs[p].pop(); j != nil; j = co.jobs[p].pop() {
				l.start(p, j)
			}
		}
		if l.runLast() || l.interrupt() {
			continue
		}
		if co.pool.busy() == 0 {
			break
		}
		<-o.bell // a goroutine of Await
	}
	for c := co.pool.last(); c != nil; c = co.pool.last() {
		l.endCoro(c)
	}
	co.reapers.Wait()
}

// runLast gives each coroutine that is ready a turn, and reports whether
// there was one.
func (l *Loop) runLast() bool {
	list := l.co.last
	l.co.last = nil
	for _, c := range list {
		c.turn()
	}
	return len(list) > 0
}

// interrupt ends the waits that can be interrupted, and reports whether there
// were any.
func (l *Loop) interrupt() bool {
	for _, c := range l.co.pool.all {
		if c != nil && c.waits != nil && c.waits.state.CompareAndSwap(waitParked, waitClosed) {
			c.Wake()
		}
	}
	return len(l.co.last) > 0
}
