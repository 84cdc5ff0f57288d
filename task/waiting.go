package task

import "context"

// A Wait is something that a task waits for at the moment, see [Waiting].
type Wait struct {
	rec        *record
	what       string
	since      int64
	prev, next *Wait
}

// Waiting says what the caller is about to wait for, for those who look at
// the tree of tasks, until [Wait.Done] is called on what it returns. It is a
// [Detach] as well. what completes the sentence "waits for", such as "GET
// example.org/data"; it must hold no secrets. It costs some 100 ns; outside
// of tasks it does nothing. It does not block.
//
//	defer task.Waiting(ctx, "a free slot").Done()
func Waiting(ctx context.Context, what string) *Wait {
	r, _ := ctx.Value(recordKey{}).(*record)
	if r == nil {
		return nil
	}
	g := r.g
	w := &Wait{rec: r, what: what, since: clock()}
	g.mu.Lock()
	if g.wake.L != nil && g.closed { // the context has outlived its task
		g.mu.Unlock()
		return nil
	}
	c := g.man()
	if w.next = c.waits; w.next != nil {
		w.next.prev = w
	}
	c.waits = w
	spawn := g.wake.L != nil && g.wantHelper()
	g.mu.Unlock()
	if spawn {
		go g.help()
	}
	return w
}

// Done says that the wait is over. It does nothing on nil. It must be called
// once.
func (w *Wait) Done() {
	if w == nil {
		return
	}
	g := w.rec.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		g.crew.waits = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
}
