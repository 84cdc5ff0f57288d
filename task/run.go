package task

import (
	"runtime"
	"sort"
)

// The helper chain. What holds whenever mu is free: if tasks are pending, a
// helper is on its way, or every slot of the limit is taken by somebody who
// will look for the next task when done, or the body's goroutine is looking.

// wantHelper reports whether the caller has to start a helper, and notes
// that one is on its way. The lock is held.
func (g *Group) wantHelper() bool {
	if g.starting || g.queue.len+g.later.len == 0 || g.full() {
		return false
	}
	g.starting = true
	return true
}

func (g *Group) full() bool { return g.limit > 0 && g.running >= g.limit }

// help is the body of a helper goroutine. It belongs to the group: it ends
// when no task is pending. One that arrives after the group's end finds
// nothing and touches nothing else.
func (g *Group) help() {
	g.mu.Lock()
	g.starting = false
	if g.closed {
		g.mu.Unlock()
		return
	}
	h := g.man().hire()
	for {
		var r *record
		if !g.full() {
			r = g.claim(true)
		}
		if r == nil {
			g.crew.dismiss(h)
			g.mu.Unlock()
			return
		}
		g.runLocked(r, true, &h.runner)
	}
}

// claim takes the oldest pending task, or none when the group is cancelled;
// then all pending ones are dropped. later includes those of GoLater, first.
// The lock is held.
func (g *Group) claim(later bool) *record {
	if g.queue.len+g.later.len == 0 {
		return nil
	}
	if g.scope.ended() {
		g.skipped = true
		g.unfinished -= g.queue.clear() + g.later.clear()
		g.wakeBody()
		return nil
	}
	var r *record
	if later {
		r = g.later.pop()
	}
	if r == nil {
		r = g.queue.pop()
	}
	if g.bodyWaits {
		g.wakeBody()
	}
	return r
}

// wakeBody wakes the goroutine of the body if what it waits for has come.
func (g *Group) wakeBody() {
	if g.unfinished == 0 || g.bodyWaits && g.queue.len <= int(g.bound)/2 {
		g.wake.Signal()
	}
}

// runLocked runs r in a slot. The lock is held on entry and on return, and
// free meanwhile. When the task calls Goexit it does not return, but the
// books are kept all the same.
func (g *Group) runLocked(r *record, slot bool, w *runner) {
	if slot {
		g.running++
	}
	w.begin(r)
	spawn := g.wantHelper()
	g.mu.Unlock()
	if spawn {
		go g.help()
	}
	settled := g.run(r, slot)
	g.mu.Lock()
	if !settled {
		g.finish(slot)
	}
}

// finish notes the end of a task. The lock is held.
func (g *Group) finish(slot bool) {
	if slot {
		g.running--
	} else {
		g.inlined--
	}
	g.unfinished--
	if g.unfinished == 0 {
		g.wake.Signal()
	}
}

// run calls the task's function and keeps what went wrong. A panic ends
// here, Goexit goes on, and so does one that the panic stood on top of: it
// cannot be told, so the books are settled in both cases.
func (g *Group) run(r *record, slot bool) (settled bool) {
	normal := false
	defer func() {
		if normal {
			return
		}
		if v := recover(); v != nil {
			g.notePanic(r, v)
		} else {
			g.note(newTaskError(r, ErrGoexit, taskStack()))
		}
		settled = true
		g.mu.Lock()
		g.finish(slot)
		g.forget(r)
		spawn := g.wantHelper()
		g.mu.Unlock()
		if spawn {
			go g.help()
		}
	}()
	fn := r.fn
	r.fn = nil
	if profiling.Load() {
		fn = profiled(fn)
	}
	err := fn(r)
	normal = true
	if err != nil {
		g.fail(r, err)
	}
	return false
}

// relieve slows a caller of Go down because too many tasks are pending. The
// body waits until half of them have begun. A task must not wait, since it
// may hold the slot that the pending ones need: it works on one of them
// instead of itself, which keeps the limit.
func (g *Group) relieve() {
	if goroutine() == g.bodyG && !g.bodyBusy {
		g.waitForHelpers()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inlined >= maxInlined {
		return
	}
	if r := g.claim(false); r != nil {
		g.inlined++
		g.runInline(r)
	}
}

// waitForHelpers returns when half of the bound of tasks is pending. While
// slots are free a helper is ready to run and only needs the processor.
func (g *Group) waitForHelpers() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bodyWaits = true
	for g.queue.len > int(g.bound)/2 {
		if g.full() {
			g.wake.Wait()
			continue
		}
		g.mu.Unlock()
		runtime.Gosched()
		g.mu.Lock()
	}
	g.bodyWaits = false
}

// runInline is runLocked with the lock taken again even when the task called
// Goexit, since the caller's deferred unlock is next.
func (g *Group) runInline(r *record) {
	returned, h := false, g.man().hire()
	defer func() {
		if !returned {
			g.mu.Lock()
		}
		g.crew.dismiss(h)
	}()
	g.runLocked(r, false, &h.runner)
	returned = true
}

// join runs pending tasks and waits for the others. It is called on the
// body's goroutine, again after a Goexit.
func (g *Group) join() {
	if g.stack != nil {
		g.joinHosted()
		return
	}
	g.bodyBusy = true
	g.mu.Lock()
	g.joining = true
	for {
		var r *record
		if !g.full() {
			r = g.claim(false)
		}
		if r == nil {
			g.joiner.cur = nil
		}
		switch {
		case r != nil:
			g.runLocked(r, true, &g.joiner)
		case g.unfinished == 0:
			g.closed = true
			g.unlist()
			g.mu.Unlock()
			g.cause = ended(&g.scope)
			g.cancel(nil)
			return
		case g.wantHelper(): // for what GoLater started
			g.mu.Unlock()
			go g.help()
			g.mu.Lock()
		default:
			g.wake.Wait()
		}
	}
}

// abandon ends the group while the body's goroutine unwinds.
func (g *Group) abandon() {
	g.cancel(errAbandoned)
	g.join()
	if g.panicked != nil {
		panic(g.panicked)
	}
}

// fail keeps the error of a task or of the body, unless it only says that
// the group was cancelled.
func (g *Group) fail(r *record, err error) {
	if echoes(&g.scope, err) {
		g.mu.Lock()
		g.skipped = true
		g.mu.Unlock()
		return
	}
	g.note(newTaskError(r, err, nil))
}

func (g *Group) note(e *TaskError) {
	g.mu.Lock()
	g.errs = append(g.errs, e)
	g.mu.Unlock()
	if !g.keepGoing || e.Err == ErrGoexit {
		g.cancel(e)
	}
}

func (g *Group) notePanic(r *record, v any) {
	p := newPanicError(r, v)
	g.mu.Lock()
	if g.panicked == nil {
		g.panicked = p
	}
	g.mu.Unlock()
	g.cancel(p)
}

// result raises a task's panic or returns the errors. All tasks have ended.
func (g *Group) result() error {
	if g.panicked != nil {
		panic(g.panicked)
	}
	if len(g.errs) == 0 {
		if !g.skipped {
			return nil
		}
		return Errors{{
			Name: g.self.name, Path: g.self.path(), Spawned: g.self.spawned(),
			Err: g.cause,
		}}
	}
	sort.SliceStable(g.errs, func(i, j int) bool { return g.errs[i].seq < g.errs[j].seq })
	return g.errs
}
