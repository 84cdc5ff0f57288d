package loop

import (
	"container/heap"
	"time"
)

// A Timer is a callback that is to run later; see [Loop.After].
type Timer struct {
	l     *Loop
	when  time.Time
	seq   uint64 // keeps the order of timers with the same deadline
	pri   Priority
	fn    func() // nil once begun, stopped or dropped
	index int    // in the heap; -1 when it is not there
}

// After has fn run on the loop's goroutine: when d has passed it joins the
// line of its priority. After does not block. Timers that are due together
// join in the order of their deadlines, then of the calls of After. On a loop
// that has ended, or was stopped, the timer never runs.
func (l *Loop) After(d time.Duration, pri Priority, fn func()) *Timer {
	check(pri, fn)
	t := &Timer{l: l, when: time.Now().Add(d), pri: pri, fn: fn, index: -1}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= stopping {
		t.fn = nil
		return t
	}
	l.set++
	t.seq = l.set
	heap.Push(&l.timers, t)
	if t.index == 0 && l.state == running {
		l.arm()
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
		heap.Remove(&t.l.timers, t.index)
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

// arm sets the runtime's timer to the first deadline; the lock is held. It
// may go off early, after the first timer was stopped: the loop looks and
// sleeps again.
func (l *Loop) arm() {
	if len(l.timers) == 0 {
		return
	}
	d := time.Until(l.timers[0].when)
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
func (l *Loop) takeDue(now time.Time) {
	for len(l.timers) > 0 && !l.timers[0].when.After(now) {
		t := heap.Pop(&l.timers).(*Timer)
		l.ready[t.pri].push(t.run)
		l.posted++
	}
	if l.fired {
		l.fired = false
		l.arm()
	}
}

// timerHeap implements [heap.Interface].
type timerHeap []*Timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if !h[i].when.Equal(h[j].when) {
		return h[i].when.Before(h[j].when)
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop implements [heap.Interface].
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}

// drop empties the heap; its timers never run.
func (h *timerHeap) drop() {
	for _, t := range *h {
		t.fn, t.index = nil, -1
	}
	*h = nil
}
