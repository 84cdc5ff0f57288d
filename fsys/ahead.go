package fsys

import (
	"context"
	"sync"
)

// Listing a directory of a far store costs a round trip, so a walk looks
// ahead: up to aheadMax directories are walked while the consumer is at an
// earlier one. What they find is handed on in order.
const (
	aheadMax = 32
	// Entries are handed over in batches: a smaller one waits for more, a
	// larger one for the consumer.
	batchMin, batchMax = 32, 256
)

// ahead is what a walk and the walks below it share.
type ahead struct {
	slots chan struct{} // one for each directory that is walked ahead
	wg    sync.WaitGroup
}

// A queue holds the directories that a walk has come by, in order.
type queue struct {
	w    *walk
	jobs []*job
}

// A job is one directory to walk. Without found it is walked when its turn
// comes.
type job struct {
	dir   string
	segs  []segment
	found chan []result
}

type result struct {
	e   Entry
	err error
}

// add walks dir in its turn, which is now for a near store. It returns false
// when the walk must end.
func (q *queue) add(dir string, segs []segment) bool {
	if q.w.ahead == nil {
		return q.w.descend(dir, segs, false)
	}
	j := &job{dir: dir, segs: segs}
	select {
	case q.w.ahead.slots <- struct{}{}:
		j.start(q.w)
	default:
		// All slots are taken, by directories further ahead perhaps. Walking
		// it in its turn keeps nested walks from waiting for each other.
	}
	q.jobs = append(q.jobs, j)
	return len(q.jobs) <= aheadMax || q.pop()
}

// drain hands on what is left.
func (q *queue) drain() bool {
	for len(q.jobs) > 0 {
		if !q.pop() {
			return false
		}
	}
	return true
}

// pop hands on what the first job finds.
func (q *queue) pop() bool {
	j := q.jobs[0]
	q.jobs = q.jobs[1:]
	if j.found == nil {
		return q.w.descend(j.dir, j.segs, false)
	}
	for batch := range j.found {
		for _, r := range batch {
			if !q.w.yield(r.e, r.err) || r.err != nil {
				return false
			}
		}
	}
	return q.w.ctx.Err() == nil || q.w.canceled(j.dir)
}

// start walks the job on a goroutine, which holds a slot.
func (j *job) start(w *walk) {
	j.found = make(chan []result, 4)
	a := w.ahead
	a.wg.Go(func() { // owner: Glob, which cancels and waits before it returns
		defer func() { <-a.slots }()
		defer close(j.found)
		p := producer{ctx: w.ctx, out: j.found}
		below := *w
		below.yield = p.put
		below.descend(j.dir, j.segs, false)
		p.flush()
	})
}

// A producer batches results.
type producer struct {
	ctx   context.Context
	out   chan<- []result
	batch []result
}

// put is the yield function of a walk ahead.
func (p *producer) put(e Entry, err error) bool {
	p.batch = append(p.batch, result{e, err})
	switch {
	case len(p.batch) < batchMin:
		return p.ctx.Err() == nil
	case len(p.batch) >= batchMax:
		return p.flush()
	}
	select {
	case p.out <- p.batch:
		p.batch = nil
	default:
	}
	return true
}

// flush hands over what there is. It returns false when the walk is over.
func (p *producer) flush() bool {
	if len(p.batch) == 0 {
		return true
	}
	select {
	case p.out <- p.batch:
		p.batch = nil
		return true
	case <-p.ctx.Done():
		return false
	}
}
