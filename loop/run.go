package loop

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"time"
)

// Run runs callbacks on the calling goroutine until ctx ends or [Loop.Stop]
// is called, and returns the error of ctx or nil. What has not begun then is
// dropped. A panic of a callback ends the loop and goes on through Run. A
// loop runs once: a second Run returns [ErrStopped], and panics while the
// first has not returned.
func (l *Loop) Run(ctx context.Context) (err error) {
	if !l.begin() {
		return ErrStopped
	}
	defer l.end()
	l.beginCoros(ctx)
	defer l.endCoros(&err)
	defer context.AfterFunc(ctx, l.Stop)()
	for {
		if l.fresh.Load() && l.takeIn() {
			l.co.normal = true
			return ctx.Err()
		}
		if fn := l.next(); fn != nil {
			l.ran.Add(1)
			fn()
		} else {
			l.park()
		}
	}
}

func (l *Loop) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.owner != 0:
		panic("loop: Run called while the loop runs")
	case l.state == ended:
		return false
	case l.state == created:
		l.state = running
	}
	l.owner = goroutineID()
	l.arm()
	l.fresh.Store(true)
	return true
}

// end drops what has not begun and lets go of waiting callers.
func (l *Loop) end() {
	l.mu.Lock()
	l.state = ended
	l.owner = 0
	l.parked = false
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timers.drop()
	l.inbox = [priorities][]func(){}
	l.mu.Unlock()
	l.ready = [priorities]line{}
	close(l.done)
}

// takeIn moves posts and due timers to the lines, with one lock for all that
// came since the last time. It reports whether the loop is to end.
func (l *Loop) takeIn() (stop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh.Store(false)
	for p := range l.inbox {
		l.inbox[p] = l.ready[p].take(l.inbox[p])
	}
	if len(l.timers) > 0 {
		l.takeDue(time.Now())
	}
	return l.state == stopping
}

// next removes the callback whose turn it is from its line, or returns nil.
func (l *Loop) next() func() {
	turn := priorities
	for p := range priorities {
		switch {
		case l.ready[p].len() == 0:
			l.passed[p] = 0
		case turn == priorities, l.starve > 0 && l.passed[p] >= l.starve && l.passed[p] > l.passed[turn]:
			turn = p
		}
	}
	if turn == priorities {
		return nil
	}
	l.passed[turn] = 0
	for p := turn + 1; p < priorities; p++ {
		l.passed[p]++
	}
	return l.ready[turn].pop()
}

// enqueue puts fn in the line of pri, behind what was posted before; only for
// the loop's goroutine and its coroutines.
func (l *Loop) enqueue(pri Priority, fn func()) {
	l.mu.Lock()
	l.posted++
	if l.fresh.Load() {
		l.inbox[pri] = append(l.inbox[pri], fn)
	} else {
		l.ready[pri].push(fn)
	}
	l.mu.Unlock()
}

// park sleeps until there is news.
func (l *Loop) park() {
	l.mu.Lock()
	if l.fresh.Load() {
		l.mu.Unlock()
		return
	}
	l.parked = true
	l.mu.Unlock()
	<-l.wake
}

// A line is a first-in first-out list of callbacks.
type line struct {
	fns  []func()
	head int
}

func (q *line) len() int { return len(q.fns) - q.head }

func (q *line) push(fn func()) {
	q.compact()
	q.fns = append(q.fns, fn)
}

// compact moves the line to the front of its memory when more than half of
// that is used up, so that a line that is never empty does not creep.
func (q *line) compact() {
	if q.head > len(q.fns)/2 {
		n := copy(q.fns, q.fns[q.head:])
		clear(q.fns[n:])
		q.fns, q.head = q.fns[:n], 0
	}
}

func (q *line) pop() func() {
	fn := q.fns[q.head]
	q.fns[q.head] = nil
	q.head++
	return fn
}

// maxSpare bounds the memory that an empty line keeps, in callbacks.
const maxSpare = 1 << 14

// take appends fns and returns an empty slice in exchange, which is the
// line's old memory when it was empty.
func (q *line) take(fns []func()) []func() {
	if len(fns) == 0 {
		return fns
	}
	if q.len() > 0 {
		q.compact()
		q.fns = append(q.fns, fns...)
		clear(fns)
		return fns[:0]
	}
	spare := q.fns[:0]
	q.fns, q.head = fns, 0
	if cap(spare) > maxSpare {
		return nil
	}
	return spare
}

// goroutineID returns the number of the calling goroutine, as stack traces
// show it.
func goroutineID() uint64 {
	var buf [64]byte
	text := buf[len("goroutine "):runtime.Stack(buf[:], false)]
	id, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		panic("loop: unknown form of stack trace")
	}
	return n
}
