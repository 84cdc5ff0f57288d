package work

import (
	"sync"
	"time"

	"github.com/leat-dev/leat/sched"
)

// A report is sent when it has this much, or after this long.
const (
	flushBytes = 128 << 10
	flushItems = 2000
	flushAfter = 100 * time.Millisecond
)

// A reporter gathers what becomes of the inputs of a lease and emits it in
// pieces, one at a time.
type reporter struct {
	job   string
	lease uint64
	emit  func(*sched.Done)
	// expect is how many items a report may get.
	expect int
	turn   chan struct{} // holds a value while nobody emits

	mu      sync.Mutex
	pending *sched.Done
	bytes   int
	timer   *time.Timer // runs while something is pending
	late    sync.WaitGroup
	over    bool
}

func newReporter(l *sched.Lease, emit func(*sched.Done)) *reporter {
	r := &reporter{job: l.Job, lease: l.ID, emit: emit, turn: make(chan struct{}, 1),
		expect: int(min(l.Set.Len(), flushItems))}
	r.turn <- struct{}{}
	r.pending = r.fresh()
	return r
}

func (r *reporter) fresh() *sched.Done { return &sched.Done{Job: r.job, Lease: r.lease} }

// item adds a result. It blocks while reports cannot be got rid of.
func (r *reporter) item(it *sched.Item) {
	r.mu.Lock()
	if r.pending.Items == nil {
		r.pending.Items = make([]sched.Item, 0, r.expect)
	}
	r.pending.Items = append(r.pending.Items, *it)
	r.added(len(it.Name) + len(it.Value))
}

// failure adds a failure. It blocks while reports cannot be got rid of.
func (r *reporter) failure(f sched.Failure) {
	r.mu.Lock()
	r.pending.Failed = append(r.pending.Failed, f)
	r.added(len(f.Name) + len(f.Problem.Text) + len(f.Problem.Stderr))
}

// added takes the lock over and lets it go.
func (r *reporter) added(bytes int) {
	r.bytes += bytes
	full := r.bytes >= flushBytes || len(r.pending.Items)+len(r.pending.Failed) >= flushItems
	if !full && r.timer == nil && !r.over {
		r.late.Add(1)
		r.timer = time.AfterFunc(flushAfter, func() {
			defer r.late.Done()
			r.flush()
		})
	}
	r.mu.Unlock()
	if full {
		r.flush()
	}
}

// take returns what is pending, or nil, and stops the timer.
func (r *reporter) take() *sched.Done {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil && r.timer.Stop() {
		r.late.Done()
	}
	r.timer = nil
	if len(r.pending.Items)+len(r.pending.Failed) == 0 {
		return nil
	}
	d := r.pending
	r.pending, r.bytes = r.fresh(), 0
	return d
}

func (r *reporter) flush() {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	if d := r.take(); d != nil {
		r.emit(d)
	}
}

// end emits the final report with what is pending; fill completes it. Nothing
// is added any more.
func (r *reporter) end(fill func(*sched.Done)) {
	<-r.turn
	d := r.take()
	r.turn <- struct{}{}
	r.late.Wait() // a flush that was about to begin finds nothing
	if d == nil {
		d = r.fresh()
	}
	d.Final = true
	if fill != nil {
		fill(d)
	}
	r.emit(d)
}
