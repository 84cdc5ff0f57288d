package loop

import (
	"math/bits"
	"time"

	"github.com/leat-dev/leat/task"
)

// defaultSpare is how many free coroutines a loop keeps, at about 3 KiB each.
const defaultSpare = 256

// trimAfter is how long coroutines beyond that are kept.
const trimAfter = time.Second

// A pool hands out the free coroutine with the lowest index, not the one
// used last: with thousands of them, those in use then stay together in
// memory, which halves the cost of a switch.
type pool struct {
	all   []*coro  // nil where one has ended
	holes []int    // indexes of those
	free  []uint64 // a bit for each of all
	sums  []uint64 // a bit for each word of free that has one
	idle  int
	spare int
	high  int  // most at work since the last trim
	armed bool // a trim is due
}

// add gives a new coroutine, which is at work, its index.
func (p *pool) add(c *coro) {
	if n := len(p.holes); n > 0 {
		c.index = p.holes[n-1]
		p.holes = p.holes[:n-1]
		p.all[c.index] = c
	} else {
		c.index = len(p.all)
		p.all = append(p.all, c)
		if c.index/64 == len(p.free) {
			p.free = append(p.free, 0)
		}
		if c.index/4096 == len(p.sums) {
			p.sums = append(p.sums, 0)
		}
	}
	p.high = max(p.high, p.busy())
}

func (p *pool) busy() int { return len(p.all) - len(p.holes) - p.idle }

// remove forgets a coroutine that is not free.
func (p *pool) remove(c *coro) {
	p.all[c.index] = nil
	p.holes = append(p.holes, c.index)
}

// get returns the free coroutine with the lowest index, or nil.
func (p *pool) get() *coro {
	for s, sum := range p.sums {
		if sum != 0 {
			w := s*64 + bits.TrailingZeros64(sum)
			return p.take(w*64 + bits.TrailingZeros64(p.free[w]))
		}
	}
	return nil
}

func (p *pool) take(i int) *coro {
	w := i / 64
	if p.free[w] &^= 1 << (i % 64); p.free[w] == 0 {
		p.sums[w/64] &^= 1 << (w % 64)
	}
	p.idle--
	p.high = max(p.high, p.busy())
	return p.all[i]
}

// put takes a coroutine back. It reports whether the caller has to see to it
// that trim is called.
func (p *pool) put(c *coro) bool {
	w := c.index / 64
	p.free[w] |= 1 << (c.index % 64)
	p.sums[w/64] |= 1 << (w % 64)
	p.idle++
	if p.armed || p.idle <= p.spare {
		return false
	}
	p.armed = true
	return true
}

// last returns the free coroutine with the highest index, or nil.
func (p *pool) last() *coro {
	for s := len(p.sums) - 1; s >= 0; s-- {
		if sum := p.sums[s]; sum != 0 {
			w := s*64 + bits.Len64(sum) - 1
			return p.take(w*64 + bits.Len64(p.free[w]) - 1)
		}
	}
	return nil
}

// trim ends free coroutines that were not needed for a while.
func (l *Loop) trim() {
	p := &l.co.pool
	for p.idle > p.spare && p.busy()+p.idle > p.high {
		l.endCoro(p.last())
	}
	p.high = p.busy()
	p.armed = p.idle > p.spare
	if p.armed {
		l.After(trimAfter, Idle, l.trim)
	}
}

// endCoro ends a coroutine that was taken from the pool.
func (l *Loop) endCoro(c *coro) {
	l.co.pool.remove(c)
	l.co.where.leave(c.goroutine)
	c.stop()
}

// A jobLine is a first-in first-out list of jobs.
type jobLine struct {
	jobs []task.Job
	head int
}

func (q *jobLine) push(j task.Job) { q.jobs = append(q.jobs, j) }

// pop returns nil when there is none.
func (q *jobLine) pop() task.Job {
	if q.head == len(q.jobs) {
		return nil
	}
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	q.head++
	switch {
	case q.head == len(q.jobs):
		q.jobs, q.head = q.jobs[:0], 0
	case q.head > len(q.jobs)/2 && q.head > 64:
		n := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[n:])
		q.jobs, q.head = q.jobs[:n], 0
	}
	return j
}
