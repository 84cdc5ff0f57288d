package task

import (
	"sync"
	"time"
)

// What a group keeps for those who look at it from outside, see [Tree]. It is
// cheap: a task costs one store under a lock that is taken anyway, and the
// clock is read once for many tasks that do not take long.

// A runner is a goroutine that runs tasks. The lock of the group guards it.
type runner struct {
	cur   *record // stale while the lock is held between two tasks
	since int64   // the clock at or before the begin of cur
	mask  uint32  // the clock is read for tasks whose number has none of these bits
}

// epoch is what clock counts from.
var epoch = time.Now()

// clock is the monotonic time in nanoseconds; never 0.
func clock() int64 { return int64(time.Since(epoch)) + 1 }

const (
	// maxMask makes the clock be read once for 64 quick tasks.
	maxMask = 63
	// quick is how long a task may take to count as one.
	quick = int64(2 * time.Microsecond)
)

// begin notes that w runs r from now on.
func (w *runner) begin(r *record) {
	w.cur = r
	if r.seq&w.mask == 0 {
		w.tick()
	}
}

func (w *runner) tick() {
	now := clock()
	if w.since != 0 && now-w.since < quick*int64(w.mask+1) {
		w.mask = min(2*w.mask+1, maxMask)
	} else {
		w.mask = 0
	}
	w.since = now
}

// A crew is who works for a group besides the joiner, and what its tasks wait
// for. A group has none until somebody could see it. Its lock guards it.
type crew struct {
	listed     bool
	prev, next *Group // on the registry

	helpers *helper // at work: goroutines, and tasks that run inside Go
	spare   *helper
	own     helper // the first one to spare
	waits   *Wait
}

// A helper is a runner on the list of a crew.
type helper struct {
	runner
	prev, next *helper
}

// hire returns a helper that is on the list.
func (c *crew) hire() *helper {
	h := c.spare
	if h == nil {
		h = &helper{}
	} else {
		c.spare = h.next
	}
	*h = helper{next: c.helpers}
	if h.next != nil {
		h.next.prev = h
	}
	c.helpers = h
	return h
}

// dismiss takes h off the list.
func (c *crew) dismiss(h *helper) {
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		c.helpers = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	*h = helper{next: c.spare}
	c.spare = h
}

// forget takes r away from whoever runs it, and may not come back for the
// next task. The lock is held.
func (g *Group) forget(r *record) {
	if g.joiner.cur == r {
		g.joiner.cur = nil
	}
	if g.crew == nil {
		return
	}
	for h := g.crew.helpers; h != nil; h = h.next {
		if h.cur == r {
			h.cur = nil
		}
	}
}

// registry lists the groups of the model of goroutines: those with a name
// from the start, others when a helper arrives or something in them waits.
// Most groups that end at once are never on it.
var registry struct {
	mu    sync.Mutex
	first *Group
}

// man makes sure that g has a crew, and is on the registry unless its host
// tells about it. The lock of g is held, or g is not in use yet.
func (g *Group) man() *crew {
	if g.crew == nil {
		g.crew = &crew{}
		g.crew.spare = &g.crew.own
	}
	c := g.crew
	if c.listed || g.wake.L == nil || g.closed {
		return c
	}
	c.listed, g.began = true, clock()
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if c.next = registry.first; c.next != nil {
		c.next.crew.prev = g
	}
	registry.first = g
	return c
}

// unlist takes g off the registry. The lock of g is held.
func (g *Group) unlist() {
	c := g.crew
	if c == nil || !c.listed {
		return
	}
	c.listed = false
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if c.prev != nil {
		c.prev.crew.next = c.next
	} else {
		registry.first = c.next
	}
	if c.next != nil {
		c.next.crew.prev = c.prev
	}
	c.prev, c.next = nil, nil
}
