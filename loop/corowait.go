package loop

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/task"
)

// Suspend parks the calling coroutine until wake is called: it is what all
// waits are made of. It calls start, which arranges for wake to be called,
// once or more, from any goroutine; when that happens in start already the
// coroutine goes on at once. When ctx ends first, Suspend returns its error
// or a [*task.CancelError], and [ErrStopped] when the loop ends; the caller
// undoes then what start did, and a later call of wake does nothing. If ctx
// has ended before, start is not called.
//
// Suspend panics when it is not called on a coroutine of the loop.
func (l *Loop) Suspend(ctx context.Context, start func(wake func())) error {
	c := l.here()
	if c == nil {
		panic("loop: Suspend called outside of the loop's coroutines")
	}
	if err := c.refused(ctx); err != nil {
		return err
	}
	s := &suspension{c: c}
	c.what = ""
	start(s.wake)
	if s.state.Load() == waitWoken {
		c.breathe()
		return nil
	}
	s.watch.Watch(ctx, s)
	if s.state.CompareAndSwap(waitStarting, waitParked) {
		c.waits = s
		c.stack.Rest(cmp.Or(c.what, "an event"))
		c.stack.Leave()
		c.Park()
		c.stack.Rest("")
		c.waits = nil
	}
	s.watch.Stop()
	switch s.state.Load() {
	case waitCancelled:
		return task.Ended(ctx)
	case waitClosed:
		return ErrStopped
	}
	return nil
}

// refused returns the error of a wait that must not begin.
func (c *coro) refused(ctx context.Context) error {
	err := task.Ended(ctx)
	if err == nil && c.l.co.closing {
		err = ErrStopped
	}
	if err == nil {
		return nil
	}
	if c.l.co.closing {
		// A loop that ignores errors would go on for ever.
		if c.refuse++; c.refuse > maxRefused {
			runtime.Goexit()
		}
	}
	c.breathe()
	return err
}

// maxRefused is how many waits of one coroutine fail because the loop ends
// before it is ended where it stands; its deferred functions run.
const maxRefused = 1000

// breathe counts an operation that had no need to wait. A long row of them
// ends the coroutine's turn, if others are ready.
func (c *coro) breathe() {
	if c.streak++; c.l.co.budget > 0 && c.streak >= c.l.co.budget {
		c.streak = 0
		if c.l.busy() {
			c.Wake()
			c.Park()
		}
	}
}

func (l *Loop) busy() bool {
	if l.co.closing {
		return len(l.co.last) > 0
	}
	return l.ShouldYield() || l.ready[Idle].len() > 0
}

// A suspension is one wait of a coroutine.
type suspension struct {
	c     *coro
	state atomic.Int32
	watch task.Watcher
}

const (
	waitStarting  int32 = iota
	waitParked          // parked, or about to
	waitWoken           // by wake
	waitCancelled       // by the context
	waitClosed          // by the end of the loop
)

func (s *suspension) wake() { s.end(waitWoken) }

// ContextEnded implements [task.Watching].
func (s *suspension) ContextEnded() { s.end(waitCancelled) }

// end ends the wait, if nobody has. It is safe from any goroutine.
func (s *suspension) end(how int32) {
	switch {
	case s.state.CompareAndSwap(waitStarting, how):
	case s.state.CompareAndSwap(waitParked, how):
		s.c.l.ring(s.c)
	}
}

// ring puts c in line. It is safe from any goroutine.
func (l *Loop) ring(c *coro) {
	if l.onLoop() {
		c.Wake()
		return
	}
	o := &l.co.post
	o.mu.Lock()
	o.woken[c.pri] = append(o.woken[c.pri], c)
	l.tell(c.pri)
}

// tell has the loop look at what others left for it; o.mu is held, and
// unlocked.
func (l *Loop) tell(pri Priority) {
	o := &l.co.post
	if o.closing {
		select {
		case o.bell <- struct{}{}:
		default:
		}
		o.mu.Unlock()
		return
	}
	first := !o.pumping[pri]
	o.pumping[pri] = true
	o.mu.Unlock()
	if first {
		l.Post(pri, o.pump[pri]) // a loop that is about to end looks by itself
	}
}

// pump takes in what others left.
func (l *Loop) pump(pri Priority) {
	o := &l.co.post
	o.mu.Lock()
	list := o.woken[pri]
	o.woken[pri], o.pumping[pri] = nil, false
	var fns []func()
	if pri == Normal {
		fns, o.fns = o.fns, nil
	}
	o.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
	for _, c := range list {
		c.Wake()
	}
}

// From returns the loop that ctx belongs to: ctx is, or comes from, that of
// a coroutine. It returns nil for others. The caller may run elsewhere.
func From(ctx context.Context) *Loop {
	if h, ok := task.HostOf(ctx).(*host); ok {
		return (*Loop)(h)
	}
	return nil
}

// coroOf returns the coroutine that the caller runs on, or nil.
func coroOf(ctx context.Context) *coro {
	if l := From(ctx); l != nil {
		return l.here()
	}
	return nil
}

// Yield ends the turn of the calling coroutine: what is ready now, with the
// same or a higher priority, goes first. It returns the error of ctx, or a
// [*task.CancelError], if that has ended. On a goroutine it yields the
// processor.
func Yield(ctx context.Context) error {
	c := coroOf(ctx)
	if c == nil {
		runtime.Gosched()
		return task.Ended(ctx)
	}
	if err := c.refused(ctx); err != nil {
		return err
	}
	c.Wake()
	c.stack.Leave()
	c.Park()
	return task.Ended(ctx)
}

// Sleep waits until d has passed, or ctx ends, of which it returns the error
// or a [*task.CancelError]. On a coroutine, time is that of the loop and
// other coroutines run meanwhile; a goroutine is blocked.
func Sleep(ctx context.Context, d time.Duration) error {
	if c := coroOf(ctx); c != nil {
		var t *Timer
		err := c.l.Suspend(ctx, func(wake func()) {
			c.what = "a timer"
			t = c.l.After(d, c.pri, wake)
		})
		if err != nil && t != nil {
			t.Stop()
		}
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return task.Ended(ctx)
	}
}

// Await runs fn, which may block, on a goroutine and returns its results; the
// calling coroutine waits without holding up the loop. At most
// [Options.Blocking] functions run so at a time, further ones wait their
// turn. When ctx ends before fn has begun, Await returns the error of ctx, or
// a [*task.CancelError]; afterwards it waits for fn, which gets ctx, so that
// no goroutine is left behind. A panic of fn is raised in the coroutine as a
// [*task.PanicError], Goexit is [task.ErrGoexit]. On a goroutine, Await calls
// fn itself.
func Await[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	c := coroOf(ctx)
	if c == nil {
		return fn(ctx)
	}
	var out T
	err := c.bridge(ctx, func() (err error) {
		out, err = fn(ctx)
		return err
	})
	return out, err
}

// OnThread is [Await] for functions that need a thread of the operating
// system for themselves, as some C libraries do: fn runs locked to one, also
// when OnThread is called on a goroutine.
func OnThread[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	return Await(ctx, func(ctx context.Context) (T, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return fn(ctx)
	})
}

// bridge runs fn on a goroutine and waits for its end, whatever happens.
func (c *coro) bridge(ctx context.Context, fn func() error) error {
	if err := c.refused(ctx); err != nil {
		return err
	}
	if err := c.l.co.bridges.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.l.co.bridges.Release(1)
	var (
		s     = &suspension{c: c}
		err   error
		raise *task.PanicError
	)
	s.state.Store(waitParked)
	path := c.stack.Path()
	go func() { // owned by the coroutine, which waits for it
		normal := false
		defer func() {
			if v := recover(); v != nil {
				p, ok := v.(*task.PanicError)
				if !ok {
					p = &task.PanicError{Value: v, Path: path, Stack: debug.Stack()}
				}
				raise = p
			} else if !normal {
				err = task.ErrGoexit
			}
			s.wake()
		}()
		err = fn()
		normal = true
	}()
	c.stack.Rest("a function beside the loop")
	c.stack.Leave()
	c.Park()
	c.stack.Rest("")
	if raise != nil {
		panic(raise)
	}
	return err
}

// Current returns the path of the task that runs on the loop at the moment,
// as [task.Path] does; it is empty in a callback. Only for the loop's
// goroutine and its coroutines.
func (l *Loop) Current() string {
	if l.co.now == nil {
		return ""
	}
	return l.co.now.stack.Path()
}

// Coroutines returns the path of the task on each coroutine at work, of
// tasks that wait for one another on one coroutine the innermost. Only for
// the loop's goroutine and its coroutines.
func (l *Loop) Coroutines() []string {
	var paths []string
	for _, c := range l.co.pool.all {
		if c != nil && c.job != nil {
			paths = append(paths, c.stack.Path())
		}
	}
	return paths
}
