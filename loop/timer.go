package loop

import "time"

// A Timer is a callback that is to run later; see [Loop.After].
type Timer struct {
	l     *Loop
	fn    func() // nil once begun, stopped or dropped
	pri   Priority
	index int // in the heap; -1 when it is not there
}

// After has fn run on the loop's goroutine: when d has passed it joins the
// line of its priority. After does not block. Timers that are due together
// join in the order of their deadlines, then of the calls of After. On a loop
// that has ended, or was stopped, the timer never runs.
func (l *Loop) After(d time.Duration, pri Priority, fn func()) *Timer {
	check(pri, fn)
	now := l.now()
	when := now + max(d, 0)
	if when < now {
		when = never
	}
	t := &Timer{l: l, pri: pri, fn: fn, index: -1}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= stopping {
		t.fn = nil
		return t
	}
	l.set++
	l.timers.push(timerItem{when, l.set, t})
	if t.index == 0 {
		l.first.Store(int64(when))
		if l.state == running {
			l.arm()
		}
	}
	return t
}

// Stop keeps the callback from running. It reports false if that has begun
// already or was stopped before. On the loop's goroutine a true result is
// final: also a timer that is due and waits for its turn does not run.
func (t *Timer) Stop() bool {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	if t.fn == nil {
		return false
	}
	t.fn = nil
	if t.index >= 0 {
		t.l.timers.remove(t.index)
		t.l.first.Store(int64(t.l.timers.first()))
	}
	return true
}

// run is the callback that a due timer puts in line.
func (t *Timer) run() {
	t.l.mu.Lock()
	fn := t.fn
	t.fn = nil
	t.l.mu.Unlock()
	if fn != nil {
		fn()
	}
}

// arm sets the runtime's timer, which wakes a loop that sleeps, to the first
// deadline; the lock is held. It may go off early, after the first timer was
// stopped: the loop looks and sleeps again. A busy loop sees by itself what
// is due; a clock of the user's is asked when there is nothing else to do.
func (l *Loop) arm() {
	if len(l.timers) == 0 || l.clock != nil {
		return
	}
	d := l.timers.first() - l.now()
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.due)
	} else {
		l.timer.Reset(d)
	}
}

// due runs on a goroutine of the runtime's timer.
func (l *Loop) due() {
	l.mu.Lock()
	l.fired = true
	l.tellAndUnlock()
}

// takeDue puts timers that are due in line; the lock is held.
func (l *Loop) takeDue(now time.Duration) {
	for len(l.timers) > 0 && l.timers[0].when <= now {
		t := l.timers.remove(0)
		l.ready[t.pri].push(t.run)
		l.posted.Add(1)
	}
	l.first.Store(int64(l.timers.first()))
	if l.fired {
		l.fired = false
		l.arm()
	}
}

// A timerItem holds what the heap compares, so that sifting does not touch
// the timers themselves: with a million of them that is most of the cost.
type timerItem struct {
	when time.Duration
	seq  uint64 // keeps the order of timers with the same deadline
	t    *Timer
}

func (a *timerItem) before(b *timerItem) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

// A timerHeap is a heap with four children a node: half as deep as one with
// two, and the four lie together in memory.
type timerHeap []timerItem

func (h timerHeap) first() time.Duration {
	if len(h) == 0 {
		return never
	}
	return h[0].when
}

func (h *timerHeap) push(it timerItem) {
	*h = append(*h, it)
	h.up(len(*h) - 1)
}

// remove takes out the item at i and returns its timer.
func (h *timerHeap) remove(i int) *Timer {
	old, last := *h, len(*h)-1
	t := old[i].t
	t.index = -1
	moved := old[last]
	old[last] = timerItem{}
	*h = old[:last]
	if i < last {
		(*h)[i] = moved
		h.down(i)
		h.up(moved.t.index)
	}
	return t
}

// up moves the item at i towards the front as far as it goes.
func (h timerHeap) up(i int) {
	it := h[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !it.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		h[i].t.index = i
		i = parent
	}
	h[i] = it
	it.t.index = i
}

// down moves the item at i towards the end as far as it goes.
func (h timerHeap) down(i int) {
	it := h[i]
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		for c := child + 1; c < min(4*i+5, len(h)); c++ {
			if h[c].before(&h[child]) {
				child = c
			}
		}
		if !h[child].before(&it) {
			break
		}
		h[i] = h[child]
		h[i].t.index = i
		i = child
	}
	h[i] = it
	it.t.index = i
}

// drop empties the heap; its timers never run.
func (h *timerHeap) drop() {
	for _, it := range *h {
		it.t.fn, it.t.index = nil, -1
	}
	*h = nil
}
