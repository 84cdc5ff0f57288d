package task

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
)

// A Result is what a task returned, with its name.
type Result[T any] struct {
	Name  string
	Value T
}

// Tasks starts tasks that return values, in [Collect], [Race] and
// [AsCompleted]. The rules are those of a [Group].
type Tasks[T any] struct {
	g     *Group
	ended func(r *record, v T, err error) error
}

// Go starts fn as [Group.Go] does.
//
//go:noinline
func (t *Tasks[T]) Go(name string, fn func(ctx context.Context) (T, error)) {
	t.g.goAt(name, t.wrap(fn), callerPC())
}

// GoLater starts fn as [Group.GoLater] does.
//
//go:noinline
func (t *Tasks[T]) GoLater(name string, fn func(ctx context.Context) (T, error)) {
	t.g.start(name, t.wrap(fn), callerPC())
}

// Context returns the context of the group.
func (t *Tasks[T]) Context() context.Context { return t.g.Context() }

func (t *Tasks[T]) wrap(fn func(context.Context) (T, error)) func(context.Context) error {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context) error {
		v, err := fn(ctx)
		r, _ := ctx.Value(recordKey{}).(*record) // ctx itself, unless it is traced
		return t.ended(r, v, err)
	}
}

// goAt is Go for callers that know where the task was started.
func (g *Group) goAt(name string, fn func(context.Context) error, pc uintptr) {
	switch {
	case g.lazy:
		g.start(name, fn, pc)
		return
	case g.stack != nil:
		g.goHosted(&g.queue, name, fn, pc)
		return
	}
	g.mu.Lock()
	g.push(&g.queue, name, fn, pc)
	spawn := g.wantHelper()
	over := g.queue.len > int(g.bound)
	g.mu.Unlock()
	if spawn {
		go g.help()
	}
	if over {
		g.relieve()
	}
}

// Collect is [Run] for tasks that return values: it returns those of the
// tasks that succeeded, in the order in which they were started, also when
// there is an error. With [Options.KeepGoing] that is all that can be had.
//
//go:noinline
func Collect[T any](ctx context.Context, opts *Options, body func(t *Tasks[T]) error) ([]Result[T], error) {
	type one struct {
		seq uint32
		Result[T]
	}
	var mu sync.Mutex
	var all []one
	err := runAt(ctx, opts, callerPC(), func(g *Group) error {
		return body(&Tasks[T]{g, func(r *record, v T, err error) error {
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, one{r.seq, Result[T]{r.name, v}})
			return nil
		}})
	})
	slices.SortFunc(all, func(x, y one) int { return int(x.seq) - int(y.seq) })
	results := make([]Result[T], len(all))
	for i := range all {
		results[i] = all[i].Result
	}
	return results, err
}

// RaceOptions are the settings of [Race]. The zero value and nil mean the
// defaults.
type RaceOptions[T any] struct {
	// Name and Limit are as in [Options].
	Name  string
	Limit int
	// Discard is given the value of each loser that succeeded all the same,
	// to close what it opened. Default: nothing is done with them. It may be
	// called by several tasks at once.
	Discard func(T)
}

var (
	errWon      = errors.New("another one has won the race")
	errNoRacers = errors.New("no task of the race returned a value")
)

// Race returns the first value that a task of body returns. The others are
// cancelled and waited for. A failure cancels nobody: only when all have
// failed, the body included, Race returns [Errors]. A body that starts its
// tasks one by one, with a pause in between, finds its context ended as soon
// as one has won; what it returns then is not looked at. A value that comes
// in spite of a cancellation from outside counts.
//
//go:noinline
func Race[T any](ctx context.Context, opts *RaceOptions[T], body func(t *Tasks[T]) error) (Result[T], error) {
	if opts == nil {
		opts = &RaceOptions[T]{}
	}
	var (
		mu       sync.Mutex
		won      bool
		winner   Result[T]
		returned bool
	)
	defer func() {
		if !returned && won && opts.Discard != nil { // a task panicked
			opts.Discard(winner.Value)
		}
	}()
	err := runAt(ctx, &Options{Name: opts.Name, Limit: opts.Limit, KeepGoing: true}, callerPC(), func(g *Group) error {
		return body(&Tasks[T]{g, func(r *record, v T, err error) error {
			if err != nil {
				return err
			}
			mu.Lock()
			first := !won
			if first {
				won, winner = true, Result[T]{r.name, v}
			}
			mu.Unlock()
			if first {
				g.cancel(errWon)
			} else if opts.Discard != nil {
				opts.Discard(v)
			}
			return nil
		}})
	})
	returned = true
	switch {
	case won:
		return winner, nil
	case err == nil:
		err = errNoRacers
	}
	return Result[T]{}, err
}

// AsCompleted runs the tasks that body starts and yields what they return in
// the order in which they end. Nothing happens before it is ranged over; then
// body runs first, and tasks meanwhile. A failure is yielded as a
// [*TaskError], with the name of the task, and the others go on. An error of
// the body, of a Goexit, or of ctx is the last pair. Breaking out cancels the
// tasks and waits for them. Results are kept until they are yielded; [Map]
// bounds how many that are. A panic is raised in the consumer.
//
//go:noinline
func AsCompleted[T any](ctx context.Context, opts *Options, body func(t *Tasks[T]) error) iter.Seq2[Result[T], error] {
	pc := callerPC()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.KeepGoing = true
	return func(yield func(Result[T], error) bool) {
		c := &completed[T]{yield: yield, more: true}
		err := runAt(ctx, &o, pc, func(g *Group) error { return c.run(g, body) })
		for c.more && c.next() {
		}
		if err != nil && c.more {
			yield(Result[T]{}, err)
		}
	}
}

// completed hands outcomes from tasks to a consumer.
type completed[T any] struct {
	yield func(Result[T], error) bool
	more  bool // the consumer has not broken out

	mu      sync.Mutex
	line    []outcome[T]
	yielded int
	wake    func()
}

type outcome[T any] struct {
	Result[T]
	err error
}

// run is the body of the group.
func (c *completed[T]) run(g *Group, body func(*Tasks[T]) error) error {
	err := body(&Tasks[T]{g, c.put})
	for c.more {
		if c.next() {
			continue
		}
		if !c.wait(g) {
			return err
		}
	}
	g.cancel(errBreak)
	return err
}

// put notes how a task ended.
func (c *completed[T]) put(r *record, v T, err error) error {
	o := outcome[T]{Result: Result[T]{r.name, v}}
	if err != nil {
		o.err = newTaskError(r, err, nil)
	}
	c.mu.Lock()
	c.line = append(c.line, o)
	wake := c.wake
	c.wake = nil
	c.mu.Unlock()
	if wake != nil {
		wake()
	}
	return nil
}

// next yields the oldest outcome, if there is one.
func (c *completed[T]) next() bool {
	c.mu.Lock()
	if len(c.line) == 0 {
		c.mu.Unlock()
		return false
	}
	o := c.line[0]
	c.line[0] = outcome[T]{}
	c.line = c.line[1:]
	c.yielded++
	c.mu.Unlock()
	c.more = c.yield(o.Result, o.err)
	return true
}

// wait waits for the next outcome. It reports false when the group is
// cancelled or all outcomes have been yielded.
func (c *completed[T]) wait(g *Group) bool {
	if c.yielded == g.startedTasks() {
		return false
	}
	return await(g.Context(), func(wake func()) {
		c.mu.Lock()
		ready := len(c.line) > 0
		if !ready {
			c.wake = wake
		}
		c.mu.Unlock()
		if ready {
			wake()
		}
	}) == nil
}

// startedTasks returns how many tasks have been started so far. It is for the
// body.
func (g *Group) startedTasks() int {
	if g.stack != nil {
		return int(g.seq)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return int(g.seq)
}

// await waits until wake, which start is given, has been called, or ctx
// ends, in both models. It returns what [Ended] does.
func await(ctx context.Context, start func(wake func())) error {
	if h := stackHost(ctx); h != nil {
		return h.Suspend(ctx, start)
	}
	woken := make(chan struct{}, 1)
	start(func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}
