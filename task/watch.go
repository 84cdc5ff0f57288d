package task

import "context"

// A Watcher has something told when a context ends, at once if the context
// is that of a task on a host: the order of events does not hang on other
// goroutines then. It is for the stacks of a [Host].
type Watcher struct {
	who        Watching
	in         *watchList
	prev, next *Watcher
	stop       func() bool
}

// Watching is what a [Watcher] tells.
type Watching interface {
	// ContextEnded is called once. It is safe from any goroutine.
	ContextEnded()
}

// A watchList is a doubly linked list, oldest first.
type watchList struct{ first, last *Watcher }

// Watch has who told when ctx ends, unless Stop is called before. ctx has not
// ended.
func (w *Watcher) Watch(ctx context.Context, who Watching) {
	w.who = who
	if s, ok := ctx.(*Scope); ok {
		w.stop = s.AfterFunc(who.ContextEnded)
		return
	}
	r, ok := ctx.(*record)
	if !ok || r.g.host == nil || r.g.stack == nil {
		if ctx.Done() != nil {
			w.stop = context.AfterFunc(ctx, who.ContextEnded)
		}
		return
	}
	list := &r.g.watchers
	if w.in, w.prev = list, list.last; w.prev == nil {
		list.first = w
	} else {
		w.prev.next = w
	}
	list.last = w
	if r.g.up == nil {
		r.g.up = &Watcher{}
		r.g.up.Watch(r.g.scope.parent, r.g)
	}
}

// Stop ends the watch. It may be called more than once, also without Watch.
func (w *Watcher) Stop() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
	if w.in == nil {
		return
	}
	if w.prev == nil {
		w.in.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		w.in.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// ContextEnded implements [Watching]: the context above the group has ended.
func (g *Group) ContextEnded() {
	if g.host.Stack() != nil {
		g.tell()
		return
	}
	g.host.Post(g.tell)
}

// tell tells all watchers of the group, and those of groups below.
func (g *Group) tell() {
	for w := g.watchers.first; w != nil; w = g.watchers.first {
		w.Stop()
		w.who.ContextEnded()
	}
}
