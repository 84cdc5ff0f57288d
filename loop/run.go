package loop

import (
	"bytes"
	"cmp"
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
	defer func() {
		if l.co.normal { // else a panic unwinds, and callbacks may raise more
			l.loseAll()
		}
	}()
	if l.debug.slow > 0 {
		l.own.Go(l.watchdog)
	}
	defer context.AfterFunc(ctx, l.Stop)()
	for !l.fresh.Load() || !l.takeIn() {
		turn := l.choose()
		switch {
		case l.news(turn):
			// Something may go before the callback that was chosen.
		case turn < priorities:
			l.run(turn)
		default:
			if over, err := l.park(); over {
				l.co.normal = true
				return err
			}
		}
	}
	l.co.normal = true
	return cmp.Or(l.err, ctx.Err())
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
	l.parked = awake
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timers.drop()
	l.inbox = [priorities][]func(){}
	l.mu.Unlock()
	l.ready = [priorities]line{}
	l.reportLeaks()
	l.closeStreams()
	l.closeFiles()
	l.die()
	l.own.Wait()
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
		l.takeDue(l.now())
	}
	return l.state == stopping
}

// When the loop looks at timers and descriptors again.
const (
	lookAfter = 64                     // callbacks, at the latest
	lookEvery = 100 * time.Microsecond // if descriptors are watched: one callback may do many system calls
	// If callbacks of the last look still wait: another look finds their
	// descriptors once more, for nothing. It is not to cost more than one
	// part in lookShare of the time.
	lookAgain = time.Millisecond
	lookShare = 64
	// If the one that runs asks ShouldYield.
	yieldEvery = 50 * time.Microsecond
)

// news looks at timers and descriptors if it is time to, which it always is
// before idle work, and reports whether it did, so that the turn may be
// another one's.
func (l *Loop) news(turn Priority) bool {
	busy := turn != Idle
	if l.since == 0 || turn == priorities || busy && l.io.active == 0 && l.since < lookAfter {
		return false
	}
	now := l.now()
	if now >= time.Duration(l.first.Load()) {
		l.fresh.Store(true)
		return true
	}
	if ago := now - l.io.looked; busy && l.io.active > 0 {
		if l.io.queued > 0 && ago < max(lookAgain, lookShare*l.io.cost) || l.io.queued == 0 && l.since < lookAfter && ago < lookEvery {
			return false
		}
	}
	l.since = 0
	if l.io.active == 0 {
		return false
	}
	l.look(now)
	return true
}

// choose returns the priority whose turn it is, or priorities.
func (l *Loop) choose() Priority {
	turn := priorities
	for p := range priorities {
		switch {
		case l.ready[p].len() == 0:
			l.passed[p] = 0
		case turn == priorities, l.starve > 0 && l.passed[p] >= l.starve && l.passed[p] > l.passed[turn]:
			turn = p
		}
	}
	return turn
}

// run runs the callback that is next of a priority.
func (l *Loop) run(turn Priority) {
	l.passed[turn] = 0
	for p := turn + 1; p < priorities; p++ {
		l.passed[p]++
	}
	q := &l.ready[turn]
	if n := q.len(); l.pick != nil && n > 1 {
		q.bringForward(l.pick(turn, n))
	}
	fn := q.pop()
	l.since++
	l.ran.Add(1)
	if l.debug.slow > 0 {
		l.debug.began.Store(int64(l.now()) + 1) // never 0
		defer l.debug.began.Store(0)
	}
	fn()
}

// enqueue puts fn in the line of pri, behind what was posted before; only for
// the loop's goroutine and its coroutines.
func (l *Loop) enqueue(pri Priority, fn func()) {
	l.posted.Add(1)
	if !l.fresh.Load() {
		l.ready[pri].push(fn)
		return
	}
	l.mu.Lock()
	l.inbox[pri] = append(l.inbox[pri], fn)
	l.mu.Unlock()
}

// park sleeps until there is news, or reports that there never will be.
func (l *Loop) park() (over bool, err error) {
	l.mu.Lock()
	if l.fresh.Load() {
		l.mu.Unlock()
		return false, nil
	}
	alone := l.io.active == 0 && l.held.Load() == 0 && l.co.bridges.InUse() == 0
	switch {
	case alone && l.clock != nil && len(l.timers) > 0:
		to := l.timers.first()
		l.mu.Unlock()
		l.clock.Skip(to)
		l.fresh.Store(true)
		return false, nil
	case alone && l.finite && len(l.timers) == 0:
		l.mu.Unlock()
		return true, l.stuck()
	case l.io.active == 0:
		l.parked = onChannel
		l.mu.Unlock()
		<-l.wake
	default:
		l.parked = onPoller
		l.mu.Unlock()
		l.sleepOnPoller()
	}
	return false, nil
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

// bringForward makes the i-th callback the first.
func (q *line) bringForward(i int) {
	at := q.head + i
	fn := q.fns[at]
	copy(q.fns[q.head+1:at+1], q.fns[q.head:at])
	q.fns[q.head] = fn
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
