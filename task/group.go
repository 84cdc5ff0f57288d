package task

import (
	"context"
	"math"
	"sync"
)

// Options are the settings of a group. The zero value and nil mean the
// defaults.
type Options struct {
	// Name stands for the group in the paths of its errors. Default: none.
	Name string
	// Limit is how many tasks of the group run at once. 0, the default, sets
	// no bound but the budgets: helpers are added for as long as tasks wait.
	// A negative value is the same as 0.
	Limit int
	// Later starts every task as [Group.GoLater] does. Default: eagerly.
	Later bool
	// KeepGoing lets tasks go on when another one, or the body, has failed:
	// [Run] waits for all and returns every error. A panic and
	// [runtime.Goexit] cancel the group all the same. Default: the first failure cancels it.
	KeepGoing bool
}

// A Group starts tasks. It lives as long as the call of [Run] that made it
// and is safe for concurrent use by the body and by the tasks of the group;
// using it after Run has returned panics.
type Group struct {
	scope scope
	self  record  // stands for the body
	above *record // the task that called Run, or nil
	host  Host    // of the task that called Run, or nil
	limit int32   // 0: none
	bound int32   // pending tasks beyond which Go holds its caller up
	hosted

	bodyG uintptr   // goroutine of the body
	wake  sync.Cond // the body's goroutine waits here, nobody else
	crew  *crew     // for those who look at the group
	began int64     // when it could first be seen, by clock; 0: not yet

	mu         sync.Mutex
	seq        uint32 // tasks started so far
	queue      queue  // started by Go
	later      queue  // started by GoLater: for helpers only
	joiner     runner // the body's goroutine, when the body has returned
	unfinished int    // started and not ended
	running    int32  // tasks that hold one of the limit's slots
	inlined    int32  // tasks that run inside Go
	lazy       bool   // Options.Later; does not change
	keepGoing  bool   // Options.KeepGoing; does not change
	bodyBusy   bool   // the body has returned; only its goroutine looks
	starting   bool   // a helper is on its way
	bodyWaits  bool   // the body waits in Go for pending tasks to go down
	skipped    bool   // a task was dropped, or only echoed the cancellation
	closed     bool   // every task has ended
	errs       Errors
	cause      error // what had cancelled the group when all tasks had ended
	panicked   *PanicError

	firstBlock block // of queue
	firstTasks [fewTasks]record
}

// pendingBound is how many unclaimed tasks a group without limit keeps
// before Go holds its caller up; a limited one keeps 4 per slot when that is
// more. At about 50 bytes a task this is small change.
const pendingBound = 1024

// maxInlined bounds how deep tasks that start tasks nest on one stack.
const maxInlined = 256

// Run calls body with a new group, waits until every task started in the
// group has ended, and returns what failed: nil or [Errors]. The calling
// goroutine, or coroutine of a loop, runs the body and then tasks that nobody
// else has begun.
//
// The first failure, of a task or of the body, cancels the group's context
// with a [*TaskError] as its cause. Tasks that have begun run to their own
// end; tasks that have not are dropped. When ctx was cancelled from outside
// and tasks were dropped or returned that cancellation, it is reported once,
// for the group, as the error of ctx or a [*CancelError]. An error that only
// repeats the cancellation of the group is a consequence, not a failure, and
// is not kept.
//
// A panic in a task cancels the group and is raised again here as a
// [*PanicError] when all tasks have ended. When the body panics or calls
// [runtime.Goexit], the group is cancelled and waited for before the
// goroutine unwinds further.
//
//go:noinline
func Run(ctx context.Context, opts *Options, body func(g *Group) error) error {
	return runAt(ctx, opts, callerPC(), body)
}

// runAt is Run for callers that know where it was called.
func runAt(ctx context.Context, opts *Options, pc uintptr, body func(g *Group) error) error {
	g := newGroup(ctx, opts, pc)
	normal := false
	defer func() {
		if !normal {
			g.abandon()
		}
	}()
	if err := body(g); err != nil {
		g.fail(&g.self, err)
	}
	g.join()
	normal = true
	return g.result()
}

func newGroup(ctx context.Context, opts *Options, pc uintptr) *Group {
	g := &Group{bound: pendingBound}
	g.self.g, g.self.at = g, siteOf(pc)
	g.scope.init(ctx)
	if opts != nil {
		g.self.name = opts.Name
		g.limit = int32(min(max(0, opts.Limit), math.MaxInt32/4))
		g.bound = max(g.bound, 4*g.limit)
		g.lazy, g.keepGoing = opts.Later, opts.KeepGoing
	}
	if g.above, _ = ctx.Value(recordKey{}).(*record); g.above != nil {
		g.host = g.above.g.host
	}
	g.queue.init(&g.firstBlock, g.firstTasks[:])
	if g.host != nil {
		if s := g.host.Stack(); s != nil {
			g.enter(s)
			return g
		}
	}
	g.wake.L = &g.mu
	g.bodyG = goroutine()
	if g.self.name != "" {
		g.man()
	}
	return g
}

// cancel ends the group's context.
func (g *Group) cancel(cause error) {
	g.scope.cancel(cause)
	if g.stack != nil {
		g.tell()
	}
}

// Context returns the group's context. It is cancelled by the first failure,
// with that failure as cause, and when Run returns.
func (g *Group) Context() context.Context { return &g.self }

// Go starts fn as a task of the group. It begins on whichever goroutine gets
// to it first: a helper that is on its way, or the caller of [Run] once the
// body has returned. On a loop it begins when the body waits or has returned.
//
// When 1,024 tasks are pending, or 4 for each one of the limit if that is
// more, Go slows its caller down, so that a stream of any length needs little
// memory: the body waits until half of them have begun; a task that starts
// tasks runs one of them itself, in its own place. So a task of a group that
// large must not wait for something that its starter does after Go returns.
//
// fn gets a context of its own, which knows the task. name need not be
// unique; it may be empty.
//
//go:noinline
func (g *Group) Go(name string, fn func(ctx context.Context) error) {
	pc := callerPC()
	switch {
	case g.lazy:
		g.start(name, fn, pc)
		return
	case g.stack != nil:
		if !g.goHere(name, fn, pc) {
			g.goHosted(&g.queue, name, fn, pc)
		}
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

// GoLater starts fn as a task of the group, always on a goroutine of its
// own, never on the caller's. It does not block. Use it for what runs as
// long as the group, or may call [runtime.Goexit] or
// [runtime.LockOSThread]. On a loop, fn begins on a coroutine of its own when
// it is its turn among what was ready at the call; LockOSThread must not be in
// force when it waits there.
//
//go:noinline
func (g *Group) GoLater(name string, fn func(ctx context.Context) error) {
	g.start(name, fn, callerPC())
}

func (g *Group) start(name string, fn func(ctx context.Context) error, pc uintptr) {
	if g.stack != nil {
		g.goHosted(&g.later, name, fn, pc)
		return
	}
	g.mu.Lock()
	g.push(&g.later, name, fn, pc)
	spawn := g.wantHelper()
	g.mu.Unlock()
	if spawn {
		go g.help()
	}
}

// push records a task; the lock is held, unless the group is on a host.
func (g *Group) push(q *queue, name string, fn func(context.Context) error, pc uintptr) {
	if g.closed || fn == nil {
		if g.stack == nil {
			g.mu.Unlock()
		}
		if fn == nil {
			panic("task: Go called with a nil function")
		}
		panic("task: Go called after the group's Run returned")
	}
	r := q.push()
	g.seq++
	r.g, r.name, r.fn, r.at, r.seq = g, name, fn, siteOf(pc), g.seq
	g.unfinished++
}
