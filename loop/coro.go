package loop

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/leat-dev/leat/task"
)

// coros is what a loop keeps for its coroutines. All of it is for the loop's
// goroutine and the coroutines, of which one runs at a time, unless it says
// otherwise.
type coros struct {
	where  whereabouts
	base   uintptr // the goroutine in Run
	now    *coro   // that runs; nil: the goroutine in Run
	nested int     // coroutines that wait for one that they resumed
	pool   pool
	jobs   [priorities]jobLine // scheduled starts: each has an entry in the loop's lines
	next   [priorities]func()  // starts the first of jobs

	ctx     context.Context // ends when the loop does
	cancel  context.CancelCauseFunc
	root    *task.Root
	unlist  func() // takes the coroutines out of task.Tree
	failure error  // of a coroutine, when nobody else wants it
	normal  bool   // Run returns, it does not unwind

	closing bool    // the loop has ended; coroutines run to their end
	last    []*coro // those that are ready then

	budget  int
	failed  func(error)
	bridges *task.Budget
	reapers sync.WaitGroup
	post    outside
}

// outside is where other goroutines leave coroutines that they woke.
type outside struct {
	mu      sync.Mutex
	woken   [priorities][]*coro
	fns     []func()
	pumping [priorities]bool // the loop was told
	pump    [priorities]func()
	closing bool
	bell    chan struct{} // wakes a closing loop
}

// A coro is a pooled coroutine.
type coro struct {
	stack  task.Stack
	l      *Loop
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	turn   func() // resumes it from a line
	index  int    // in the pool

	goroutine uintptr

	pri    Priority
	job    task.Job    // nil: free
	waits  *suspension // what a close may interrupt, or nil
	what   string      // what it is for, if that is known
	queued bool        // in a line
	ended  bool        // was told to end
	dead   bool        // a job called Goexit
	streak int         // operations in a row that had no need to wait
	refuse int         // operations refused because the loop ends
}

// maxNested bounds how deep coroutines start one another before a start is
// put in line instead. Each costs a coroutine that waits, about 3 KiB.
const maxNested = 10_000

// Go runs fn on a coroutine of the loop. Called on the loop's goroutine, from
// a callback or another coroutine, it is eager: fn has run to its first wait
// or to its end when Go returns. From elsewhere, and before [Loop.Run], fn is
// posted. Go does not block. It reports false, and fn will not run, once the
// loop has ended or [Loop.Stop] was called.
//
// Coroutines take turns: one runs until it waits in [Sleep], [Yield],
// [Await], [Loop.Suspend] or what is built on them, or in [task.Run] for its
// tasks. When it need wait no longer it stands in line with pri. What blocks
// otherwise, a channel or a mutex, blocks the loop. A coroutine that has
// called [runtime.LockOSThread] must unlock before it waits, else the program
// ends; see [OnThread].
//
// name stands for the coroutine in the paths of errors. An error of fn, a
// panic, and a call of [runtime.Goexit] go to [Options.Failed]. When the loop
// ends, ctx is cancelled with [ErrStopped] and each wait fails at once, until
// all coroutines have ended: Run returns only then.
//
//go:noinline
func (l *Loop) Go(pri Priority, name string, fn func(ctx context.Context) error) bool {
	check(pri, nop)
	if fn == nil {
		panic("loop: nil coroutine")
	}
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	j := &goJob{l: l, name: name, pc: pcs[0], fn: fn}
	if !l.onLoop() {
		return l.Post(pri, func() { l.start(pri, j) })
	}
	if l.co.closing {
		return false
	}
	l.start(pri, j)
	return true
}

func nop() {}

// Do runs fn on a coroutine of the loop and waits for its end, for callers
// beside the loop: on the loop's goroutine it returns [ErrOnLoop], on a loop
// that has ended [ErrStopped]. fn's context comes from ctx; the error is a
// [*task.TaskError], unless ctx ended before fn began. A panic of fn is raised
// here as a [*task.PanicError].
func (l *Loop) Do(ctx context.Context, pri Priority, name string, fn func(ctx context.Context) error) error {
	check(pri, nop)
	if l.onLoop() {
		return ErrOnLoop
	}
	if err := task.Ended(ctx); err != nil {
		return err
	}
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		failure error
		done    = make(chan struct{})
		j       = &goJob{l: l, name: name, pc: pcs[0], fn: fn, done: done}
	)
	j.root, j.failed = task.NewRoot(ctx, (*host)(l)), func(err error) { failure = err }
	var claimed atomic.Bool // by the loop to run fn, or by us to give up
	posted := l.Post(pri, func() {
		if claimed.CompareAndSwap(false, true) {
			j.unlink = context.AfterFunc(l.co.ctx, func() { cancel(ErrStopped) })
			l.start(pri, j)
		}
	})
	if !posted {
		return ErrStopped
	}
	select {
	case <-done:
	case <-l.done:
		if claimed.CompareAndSwap(false, true) {
			return ErrStopped
		}
	case <-ctx.Done():
		if claimed.CompareAndSwap(false, true) {
			return task.Ended(ctx)
		}
	}
	<-done
	if p, ok := failure.(*task.PanicError); ok {
		panic(p)
	}
	return failure
}

// A goJob is a coroutine of its own, not a task of a group.
type goJob struct {
	l      *Loop
	root   *task.Root // nil: the loop's
	name   string
	pc     uintptr
	fn     func(ctx context.Context) error
	failed func(error) // nil: the loop's
	unlink func() bool // may be nil
	done   chan struct{}
}

// Work implements [task.Job].
func (j *goJob) Work(s *task.Stack) {
	root, failed := j.root, j.failed
	if root == nil {
		root, failed = j.l.co.root, j.l.failCoro
	}
	if j.done != nil {
		defer close(j.done)
		defer func() { j.unlink() }()
	}
	root.Run(s, j.name, j.pc, j.fn, failed)
}

// failCoro handles the failure of a coroutine that nobody waits for.
func (l *Loop) failCoro(err error) {
	if task.Echoes(l.co.ctx, err) || l.co.closing && errors.Is(err, ErrStopped) {
		return // it ends because the loop does
	}
	if l.co.failed != nil {
		l.co.failed(err)
		return
	}
	if l.co.failure == nil {
		l.co.failure = err
	}
	l.Stop()
}

// start has a free coroutine do j until it waits. It reports false if it put
// j in line instead.
func (l *Loop) start(pri Priority, j task.Job) bool {
	if l.co.nested >= maxNested {
		l.queue(pri, j)
		return false
	}
	c := l.co.pool.get()
	if c == nil {
		c = l.newCoro()
	}
	c.pri, c.job = pri, j
	l.resume(c)
	return true
}

// queue has j started when it is its turn.
func (l *Loop) queue(pri Priority, j task.Job) {
	l.co.jobs[pri].push(j)
	if !l.co.closing {
		l.enqueue(pri, l.co.next[pri])
	}
}

// newCoro makes a coroutine. It is called on the loop's goroutine, or on a
// coroutine made there: one made on a goroutine that is locked to a thread
// could only be resumed by that.
func (l *Loop) newCoro() *coro {
	c := &coro{l: l}
	c.turn = func() {
		c.queued = false
		l.resume(c)
	}
	c.resume, c.stop = iter.Pull(c.main)
	l.co.pool.add(c)
	return c
}

// resume runs c until it yields. The caller is the loop's goroutine or, for
// the first step of a job, any of its coroutines.
func (l *Loop) resume(c *coro) {
	outer := l.co.now
	l.co.now = c
	l.co.nested++
	c.resume()
	l.co.nested--
	l.co.now = outer
	switch {
	case c.job != nil:
	case c.dead:
		l.co.pool.remove(c)
		l.co.where.leave(c.goroutine)
		l.co.reapers.Go(c.stop) // goes on with the Goexit, which ends the reaper
	default:
		if l.co.pool.put(c) {
			l.After(trimAfter, Idle, l.trim)
		}
	}
}

// main is the body of a coroutine: one job after the other.
func (c *coro) main(yield func(struct{}) bool) {
	c.yield = yield
	c.stack.Init(c)
	if c.l.debug.slow > 0 {
		c.stack.Expose()
	}
	c.goroutine = task.Goroutine()
	c.l.co.where.enter(c)
	defer func() {
		if c.ended {
			return
		}
		if v := recover(); v != nil { // jobs recover by themselves: a bug
			c.l.failCoro(&task.PanicError{Value: v, Stack: debug.Stack()})
		}
		// Goexit would go on through whoever resumed the coroutine. The job
		// has told of it; here the coroutine lies still until it is reaped.
		c.dead, c.job = true, nil
		yield(struct{}{})
	}()
	for !c.ended {
		c.job.Work(&c.stack)
		c.job = nil
		c.streak = 0
		c.ended = !yield(struct{}{})
	}
}

// Park implements [task.Coroutine].
func (c *coro) Park() {
	c.streak = 0
	if !c.yield(struct{}{}) {
		panic("loop: a coroutine was stopped while it waited") // a bug: see runOut
	}
}

// Wake implements [task.Coroutine].
func (c *coro) Wake() {
	c.queued = true
	if c.l.co.closing {
		c.l.co.last = append(c.l.co.last, c)
		return
	}
	c.l.enqueue(c.pri, c.turn)
}

// here returns the coroutine that the caller runs on, or nil.
func (l *Loop) here() *coro {
	c, _ := l.co.where.here()
	return c
}

// onLoop reports whether the caller is the loop's goroutine or one of its
// coroutines. It is safe from any goroutine.
func (co *coros) onLoop() bool {
	_, ok := co.where.here()
	return ok
}
