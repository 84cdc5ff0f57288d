package task

import (
	"context"
	"sync/atomic"
)

// The model of groups whose Run is called on a coroutine of a [Host]: all
// stand on one goroutine, so nothing here is locked. Tasks run one after the
// other on the stack of the joiner, in the order in which they were started.
// When one of them parks, which buries the joiner below it, the pending tasks
// are first started on other coroutines. A stack is only ever buried under
// tasks that it waits for anyway.
//
// What holds whenever a coroutine parks, but for the pause of a long row of
// tasks: a group has no pending tasks, or no free slot and so a running task
// that looks for the next when it ends, or a worker in line.

// hosted is what a group has in addition in this model.
type hosted struct {
	stack  *Stack // of the body; nil: the group is not of this model
	frame  frame  // on that stack
	outer  *record
	due    int  // tasks of GoLater whose turn came when no slot was free
	called bool // a worker is in line

	joining   bool // the body has returned
	suspended bool // the joiner's stack was parked since
	driving   bool // pending tasks are being started
	waiting   bool // the joiner is parked until all tasks have ended
	remote    atomic.Int64

	watchers watchList
	up       *Watcher // in the list of the group above; nil: not needed yet
}

// A frame is a group on a stack: its body or its tasks run there.
type frame struct {
	g     *Group
	below *frame
}

// maxDepth bounds how many groups nest on one stack; deeper ones put their
// tasks in line instead. At some 500 bytes a level that is 5 MB.
const maxDepth = 10_000

// enter puts the group on the stack that Run was called on.
func (g *Group) enter(s *Stack) {
	g.stack = s
	g.frame = frame{g, s.top}
	s.top = &g.frame
	g.outer = s.cur
	s.set(&g.self)
	s.depth++
}

func (g *Group) leave() {
	s := g.stack
	if s.clean == &g.frame {
		s.clean = g.frame.below
	}
	s.top = g.frame.below
	s.set(g.outer)
	s.depth--
}

// Leave is called before the coroutine is parked for a reason other than
// [Coroutine.Park]: what could run on this stack next is started elsewhere.
func (s *Stack) Leave() {
	for f := s.top; f != s.clean; f = f.below {
		if g := f.g; g.joining && g.stack == s {
			g.suspended = true
		}
		f.g.promote()
	}
	s.clean = s.top
}

// promote starts the pending tasks on other coroutines.
func (g *Group) promote() {
	if g.driving {
		return
	}
	g.driving = true
	for g.queue.len > 0 && !g.full() && g.host.Start((*worker)(g)) {
	}
	g.driving = false
}

// goHere is Go in the usual case: called by the body, with room for the task.
// It reports false otherwise.
func (g *Group) goHere(name string, fn func(context.Context) error, pc uintptr) bool {
	s := g.stack
	if !s.Here() {
		return false
	}
	b := g.queue.tail
	if s.top != &g.frame || s.clean == s.top || g.closed || fn == nil || b == nil || b.used == len(b.recs) || g.queue.len >= int(g.bound) {
		return false
	}
	r := &b.recs[b.used]
	b.used++
	g.queue.len++
	g.unfinished++
	g.seq++
	r.g, r.name, r.fn, r.at, r.seq = g, name, fn, siteOf(pc), g.seq
	return true
}

// goHosted is Go and GoLater.
func (g *Group) goHosted(q *queue, name string, fn func(context.Context) error, pc uintptr) {
	s := g.stack
	if !s.Here() {
		if s = g.host.Stack(); s == nil {
			g.goRemote(q, name, fn, pc)
			return
		}
	}
	g.push(q, name, fn, pc)
	if q == &g.later {
		g.host.Queue((*starter)(g))
		return
	}
	if s.top == nil || s.top.g != g { // what parks this stack does not look here
		g.callWorker()
	} else if s.clean == s.top {
		s.clean = s.top.below
	}
	if g.queue.len > int(g.bound) {
		g.relieveHosted(s)
	}
}

// goRemote is for callers on another goroutine, which a task waits for.
func (g *Group) goRemote(q *queue, name string, fn func(context.Context) error, pc uintptr) {
	if fn == nil { // told to the caller, not to the loop
		panic("task: Go called with a nil function")
	}
	g.remote.Add(1)
	g.host.Post(func() {
		g.remote.Add(-1)
		g.push(q, name, fn, pc)
		if q == &g.later {
			g.host.Queue((*starter)(g))
		} else {
			g.callWorker()
		}
	})
}

// callWorker puts a worker in line.
func (g *Group) callWorker() {
	if !g.called {
		g.called = true
		g.host.Queue((*calledWorker)(g))
	}
}

// relieveHosted is called on s when too many tasks are pending. They run on
// other coroutines while slots are free. If none is, the body waits; a task
// runs one of them in its own place.
func (g *Group) relieveHosted(s *Stack) {
	g.promote()
	if g.queue.len <= int(g.bound) {
		return
	}
	if s == g.stack && !g.joining && s.top == &g.frame {
		for g.queue.len > int(g.bound)/2 {
			g.bodyWaits = true
			s.Leave()
			s.co.Park()
		}
		return
	}
	if g.inlined < maxInlined {
		g.inlined++
		g.some(s, inlined)
		g.inlined--
	}
}

// How a task came to run where it runs.
type place int

const (
	atJoin   place = iota // on the stack of the joiner
	atWorker              // on a coroutine of its own
	inlined               // inside Go, without a slot
)

// take returns the next task, or nil when there is none for that place.
func (g *Group) take(at place) *record {
	if g.queue.len == 0 && (at != atWorker || g.due == 0) || at != inlined && g.full() {
		return nil
	}
	if g.scope.ended() {
		g.drop()
		return nil
	}
	r := g.queue.pop()
	if r == nil {
		g.due--
		r = g.later.pop()
	}
	if at != inlined {
		g.running++
	}
	if g.bodyWaits && g.queue.len <= int(g.bound)/2 {
		g.bodyWaits = false
		g.stack.co.Wake()
	}
	return r
}

// drop forgets the pending tasks of a group that was cancelled.
func (g *Group) drop() {
	g.skipped = true
	g.unfinished -= g.queue.clear() + g.later.clear()
	g.due = 0
	if g.bodyWaits {
		g.bodyWaits = false
		g.stack.co.Wake()
	}
	g.wakeJoiner()
}

func (g *Group) wakeJoiner() {
	if g.waiting && g.unfinished == 0 {
		g.waiting = false
		g.stack.co.Wake()
	}
}

// some runs tasks until there is none or one panics, and reports whether the
// caller goes on. When a task calls Goexit it does not return, but the books
// are kept all the same.
func (g *Group) some(s *Stack, at place) (more bool) {
	var r *record
	outer := s.cur
	defer func() {
		s.set(outer)
		if r == nil {
			return
		}
		if v := recover(); v != nil {
			g.notePanic(r, v)
			more = at != inlined // unless it stood on top of a Goexit
		} else {
			g.note(newTaskError(r, ErrGoexit, taskStack()))
		}
		g.done(at)
		if g.queue.len+g.due > 0 {
			g.callWorker()
		}
	}()
	budget := g.host.Budget()
	for {
		if r = g.take(at); r == nil {
			return false
		}
		s.cur = r
		if at == atWorker || s.exact {
			s.shown.Store(r)
		}
		fn := r.fn
		r.fn = nil
		if profiling.Load() {
			fn = profiled(fn)
		}
		if err := fn(r); err != nil {
			g.fail(r, err)
		}
		r = nil
		g.done(at)
		if at == inlined {
			return false
		}
		if s.streak++; s.streak >= budget && budget > 0 {
			s.pause(g.host)
		}
	}
}

// done notes the end of a task.
func (g *Group) done(at place) {
	if at != inlined {
		g.running--
	}
	g.unfinished--
	g.wakeJoiner()
}

// pause ends a long row of tasks that did not wait, if others are ready. The
// pending tasks stay: the stack is in line and comes back to them.
func (s *Stack) pause(h Host) {
	s.streak = 0
	if h.Busy() {
		s.co.Wake()
		s.co.Park()
	}
}

// joinHosted runs pending tasks and waits for the others. It is called on
// the stack of the body, again after a Goexit.
func (g *Group) joinHosted() {
	s := g.stack
	g.joining = true
	if s.clean == &g.frame {
		s.clean = g.frame.below
	}
	for {
		if s.depth >= maxDepth && g.queue.len > 0 {
			g.callWorker()
		} else {
			for g.some(s, atJoin) {
			}
		}
		for g.due > 0 && !g.full() && g.host.Start((*worker)(g)) {
		}
		switch {
		case g.unfinished > 0 || g.remote.Load() > 0:
			g.waiting = true
			s.Leave()
			s.co.Park() // also if Leave ran the last task, which has called Wake
		case g.suspended:
			// A joiner that waited would have been put in line by the last
			// task; here that ran on its own stack.
			s.co.Wake()
			s.Leave()
			s.co.Park()
		default:
			g.close()
			return
		}
		g.suspended = false
	}
}

// close ends the group; all tasks have ended.
func (g *Group) close() {
	g.closed = true
	if g.skipped {
		g.cause = ended(&g.scope)
	}
	if g.up != nil {
		g.up.Stop()
	}
	g.scope.cancel(nil)
	g.leave()
}

// The jobs of a group: to run its tasks until none is left.
type (
	worker       Group
	calledWorker Group // that was put in line
	starter      Group // for one task of GoLater
)

// Work implements [Job].
func (w *worker) Work(s *Stack) {
	g := (*Group)(w)
	s.base = frame{g: g}
	s.top, s.clean, s.depth = &s.base, nil, 0
	defer func() { s.top, s.clean, s.base.g = nil, nil, nil }()
	for g.some(s, atWorker) {
	}
}

// Work implements [Job].
func (w *calledWorker) Work(s *Stack) {
	w.called = false
	(*worker)(w).Work(s)
}

// Work implements [Job].
func (w *starter) Work(s *Stack) {
	if w.later.len > w.due {
		w.due++
		(*worker)(w).Work(s)
	}
}
