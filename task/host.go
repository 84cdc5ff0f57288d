package task

import (
	"context"
	"sync/atomic"
)

// This file is where the second execution model meets those who implement
// it: package loop. Nobody else needs what it exports.

// A Host runs tasks on coroutines that take turns on one goroutine. Its
// methods are for those coroutines, unless they say otherwise.
type Host interface {
	// Stack returns the stack of the coroutine that calls it, or nil if that
	// is not one of the host's. It is safe from any goroutine.
	Stack() *Stack
	// Start has a free coroutine call the job's Work and returns when that
	// has returned or the coroutine was parked. It reports false if it had to
	// put the job in line instead.
	Start(Job) bool
	// Queue is Start when all that is ready now has had its turn.
	Queue(Job)
	// Busy reports whether something else is ready to run.
	Busy() bool
	// Budget is how many tasks in a row may end without a wait before it is
	// asked whether others are ready; 0 is no bound.
	Budget() int
	// Post has fn called between two turns. It is safe from any goroutine,
	// and works for as long as a coroutine lives.
	Post(fn func())
	// Suspend calls start and parks the caller until wake is called, from
	// any goroutine, or ctx ends; then it returns what [Ended] does.
	Suspend(ctx context.Context, start func(wake func())) error
}

// A Job is what a coroutine does until it is free again.
type Job interface {
	// Work runs on the coroutine with the stack s.
	Work(s *Stack)
}

// A Coroutine is one stack of a [Host].
type Coroutine interface {
	// Park ends the turn of the caller, which runs on the coroutine, until
	// Wake is called.
	Park()
	// Wake puts a parked coroutine, or one that is about to park, in line.
	Wake()
}

// A Stack is what package task keeps for each coroutine.
type Stack struct {
	co  Coroutine
	gid uintptr
	cur *record // the task that runs here

	base   frame  // of the group that the coroutine works for
	top    *frame // innermost of the groups on this stack
	clean  *frame // from here down there is nothing to do for Leave
	depth  int    // groups on this stack
	streak int    // tasks in a row that did not wait

	waits  string  // what it is parked for, see Rest
	since  int64   // and since when, by clock
	rested *record // that was parked last
	first  int64   // when that was parked first

	exact bool // shown is cur
	shown atomic.Pointer[record]
}

// Init is called once, by the coroutine itself, before it works.
func (s *Stack) Init(co Coroutine) {
	s.co, s.gid = co, goroutine()
}

// Expose makes [Stack.Shown] exact. It is called before the stack is used and
// costs some nanoseconds a task.
func (s *Stack) Expose() { s.exact = true }

// Shown returns the path of the task that runs on this stack, also to other
// goroutines. Without [Stack.Expose] it may be a task above it, the one that
// the coroutine was given.
func (s *Stack) Shown() string { return s.shown.Load().path() }

func (s *Stack) set(r *record) {
	s.cur = r
	if s.exact {
		s.shown.Store(r)
	}
}

// Here reports whether the caller runs on this stack. It is safe from any
// goroutine.
func (s *Stack) Here() bool { return s.gid == goroutine() }

// Path returns the path of the task that runs on this stack at the moment,
// or else of the one that it has suspended.
func (s *Stack) Path() string { return s.cur.path() }

// A Root is the place of a host's coroutines in the tree of tasks.
type Root struct{ g Group }

// NewRoot returns a root whose tasks have contexts that come from ctx.
func NewRoot(ctx context.Context, h Host) *Root {
	r := &Root{}
	r.g.self.g, r.g.host = &r.g, h
	r.g.above, _ = ctx.Value(recordKey{}).(*record)
	r.g.scope.init(ctx)
	return r
}

// Run runs fn on s as a task with a name and the program counter that
// started it. What went wrong is told to failed before Run returns or, if fn
// calls [runtime.Goexit], unwinds: a [*TaskError] or a [*PanicError].
func (r *Root) Run(s *Stack, name string, pc uintptr, fn func(ctx context.Context) error, failed func(error)) {
	rec := &record{g: &r.g, name: name, at: siteOf(pc)}
	outer, normal := s.cur, false
	defer func() {
		s.set(outer)
		if normal {
			return
		}
		if v := recover(); v != nil {
			failed(newPanicError(rec, v))
			return
		}
		failed(newTaskError(rec, ErrGoexit, taskStack()))
	}()
	s.cur = rec
	s.shown.Store(rec)
	err := fn(rec)
	normal = true
	if err != nil {
		failed(newTaskError(rec, err, nil))
	}
}

// Goroutine returns a number that no other live goroutine has. It is greater
// than 1.
func Goroutine() uintptr { return goroutine() }

// HostOf returns the host that the task of ctx belongs to, or nil. The
// caller may run elsewhere: see [Host.Stack].
func HostOf(ctx context.Context) Host {
	if r, _ := ctx.Value(recordKey{}).(*record); r != nil {
		return r.g.host
	}
	return nil
}

// Ended returns what to report when something was not done because ctx
// ended: its error, as a [*CancelError] if there is a reason besides. It
// returns nil if ctx goes on.
func Ended(ctx context.Context) error {
	if r, ok := ctx.(*record); ok && !r.g.scope.ended() {
		return nil
	}
	return ended(ctx)
}

// Echoes reports whether err says nothing but that ctx has ended.
func Echoes(ctx context.Context, err error) bool { return echoes(ctx, err) }

// stackHost returns the host of ctx if the caller runs on one of its stacks.
func stackHost(ctx context.Context) Host {
	if h := HostOf(ctx); h != nil && h.Stack() != nil {
		return h
	}
	return nil
}
