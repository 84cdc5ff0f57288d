package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// A Job is a map that was submitted. Its results are taken by one goroutine,
// through [Job.Results] and [Job.Wait]; the other methods are safe for
// concurrent use.
type Job struct {
	c    *Client
	id   string
	spec *work.Spec
	opts MapOptions
	sub  sched.Submit
	ctx  context.Context // ends with the job, too
	stop context.CancelCauseFunc

	submitted uint64 // number of the Submit in the session; the client locks

	mu       sync.Mutex
	wake     chan struct{} // closed and replaced when something changed
	queue    []*sched.Deliver
	lastNum  uint64         // of the last delivery that came
	taken    uint64         // number of the last delivery that was consumed
	done     *sched.JobDone // as far as known
	badKey   string         // of a result that could not be fetched
	counted  uint64         // inputs whose outcome was handed on
	canceled error
	err      error // ends the job here, whatever the scheduler says
	ended    chan struct{}
	over     bool

	cur  *sched.Deliver // being handed on
	vals map[int][]byte // fetched values of cur, by index of the item
	at   int            // how many of the outcomes of cur were handed on

	failedAt map[string]time.Time // when workers could not be reached
}

func newJob(ctx context.Context, c *Client, id string, spec *work.Spec, o MapOptions) *Job {
	j := &Job{c: c, id: id, spec: spec, opts: o, wake: make(chan struct{}), ended: make(chan struct{}), failedAt: map[string]time.Time{}}
	j.ctx, j.stop = context.WithCancelCause(ctx)
	return j
}

// ID returns the name of the job, which no other job has.
func (j *Job) ID() string { return j.id }

// submit sends the job, unless it has failed; the client's lock is held.
func (j *Job) submit(l *link) {
	j.mu.Lock()
	failed := j.err != nil
	j.mu.Unlock()
	if failed {
		return
	}
	in := &sched.Input{Submit: &j.sub}
	if err := l.send(in); err == nil {
		j.submitted = in.Num
	} else {
		j.submitted = 0
	}
}

// cancelTimeout is how long a cancelled job waits for its workers.
const cancelTimeout = 5 * time.Second

// watch cancels the job when its context ends.
func (j *Job) watch() {
	defer j.stop(nil)
	select {
	case <-j.ended:
		return
	case <-j.ctx.Done():
	}
	cause := context.Cause(j.ctx)
	j.mu.Lock()
	j.canceled = fault.New("map", "", fault.Canceled, cause)
	if fault.KindOf(cause) == fault.Timeout {
		j.canceled = fault.New("map", "", fault.Timeout, cause)
	}
	j.changed()
	j.mu.Unlock()
	j.c.send(&sched.Input{Cancel: &sched.Cancel{Job: j.id}})
	j.awaitStop()
	j.end()
}

// awaitStop waits until the scheduler says that the job is over, but not for
// ever.
func (j *Job) awaitStop() {
	t := time.NewTimer(cancelTimeout)
	defer t.Stop()
	for {
		j.mu.Lock()
		wake := j.wake
		over := j.done != nil || j.err != nil || j.over
		j.mu.Unlock()
		if over {
			return
		}
		select {
		case <-wake:
		case <-t.C:
			j.fail(fault.New("map", "", fault.Canceled, errors.New("the workers did not say in time that they stopped")))
		}
	}
}

// Cancel ends the job early: nothing new is started, and what runs is
// stopped. [Job.Wait] waits for that.
func (j *Job) Cancel() { j.stop(context.Canceled) }

// changed wakes whoever waits; the lock is held.
func (j *Job) changed() {
	close(j.wake)
	j.wake = make(chan struct{})
}

// deliver takes results. Those that came before come again after a change of
// the leader.
func (j *Job) deliver(d *sched.Deliver) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if d.Num != j.lastNum+1 || j.over {
		return
	}
	j.lastNum = d.Num
	j.queue = append(j.queue, d)
	j.changed()
}

func (j *Job) notice(n *sched.Notice) {
	if j.opts.Notice != nil {
		j.opts.Notice(*n)
	}
}

// finish takes the end of the job, which a later one can replace.
func (j *Job) finish(d *sched.JobDone) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if d.Reduced && d.Key != "" && d.Key == j.badKey {
		return // sent before it was known that the result is lost
	}
	j.done = d
	j.changed()
}

// fail ends the job here.
func (j *Job) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = err
	}
	j.changed()
}

// end lets go of the job, here and in the cluster.
func (j *Job) end() {
	j.mu.Lock()
	if j.over {
		j.mu.Unlock()
		return
	}
	j.over = true
	j.queue = nil
	close(j.ended)
	j.changed()
	j.mu.Unlock()
	j.c.send(&sched.Input{Forget: &sched.Forget{Job: j.id}})
	j.c.mu.Lock()
	delete(j.c.jobs, j.id)
	j.c.mu.Unlock()
}

// complete reports whether all outcomes were handed on and the scheduler
// said that there are no more. It counts inputs rather than deliveries: a
// word that was under way while a lost result was reported does not fit. The
// lock is held.
func (j *Job) complete() bool {
	d := j.done
	switch {
	case d == nil || j.cur != nil || len(j.queue) > 0 || j.taken < d.Deliveries:
		return false
	case d.Err != nil || d.Canceled:
		return true
	case j.spec.Reduces():
		return true
	}
	return j.counted == d.OK+d.Failed
}

// next waits for the next delivery; nil at the end of the job.
func (j *Job) next() (*sched.Deliver, error) {
	for {
		j.mu.Lock()
		switch {
		case j.err != nil:
			defer j.mu.Unlock()
			return nil, j.err
		case j.canceled != nil && (j.done != nil || j.over):
			defer j.mu.Unlock()
			return nil, j.canceled
		case j.canceled == nil && j.cur != nil:
			defer j.mu.Unlock()
			return j.cur, nil
		case j.canceled == nil && len(j.queue) > 0:
			defer j.mu.Unlock()
			j.cur, j.queue, j.at, j.vals = j.queue[0], j.queue[1:], 0, nil
			return j.cur, nil
		case j.complete() || j.over:
			defer j.mu.Unlock()
			return nil, nil
		}
		wake := j.wake
		j.mu.Unlock()
		<-wake
	}
}
