package bulk

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// Progress counts what a run has done so far. It is safe for concurrent use;
// the zero value is ready. Several runs may share one.
type Progress struct {
	bytes                  atomic.Int64
	done, failed           atomic.Int64
	skipped, canceled      atomic.Int64
	plannedItems, plannedB atomic.Int64
	unknownSize, complete  atomic.Bool
}

// A Snapshot is the state of a [Progress] at one moment.
type Snapshot struct {
	// Done, Failed, Skipped and Canceled count items that have ended.
	Done, Failed, Skipped, Canceled int64
	// Bytes is how much was moved, by unfinished items too.
	Bytes int64
	// Items and ItemBytes are what the plan has named so far.
	Items, ItemBytes int64
	// Complete is set once the plan is known to its end, so that Items is
	// the total.
	Complete bool
	// Sized is set when every item named so far had a known size, so that
	// ItemBytes is their sum.
	Sized bool
}

// Ended returns the number of items that have ended.
func (s *Snapshot) Ended() int64 { return s.Done + s.Failed + s.Skipped + s.Canceled }

// Snapshot returns the counts. They are read one after the other: a count
// may be a little newer than the one before it.
func (p *Progress) Snapshot() Snapshot {
	return Snapshot{
		Done: p.done.Load(), Failed: p.failed.Load(),
		Skipped: p.skipped.Load(), Canceled: p.canceled.Load(),
		Bytes: p.bytes.Load(),
		Items: p.plannedItems.Load(), ItemBytes: p.plannedB.Load(),
		Complete: p.complete.Load(), Sized: !p.unknownSize.Load(),
	}
}

// A recorder turns ends of items into counts, events and kept errors.
type recorder struct {
	op   string
	opts Options
	// window counts the bytes of buffers in use.
	window *task.Budget
	gate   chan struct{} // holds a token while one end is told; guards sum
	sum    Summary
	begun  int64 // items taken from the plan; belongs to the planning goroutine
}

func newRecorder(op string, opts *Options) *recorder {
	o := opts.withDefaults()
	return &recorder{op: op, opts: o, window: task.NewBudget(max(o.Window, largeBuffer)), gate: make(chan struct{}, 1)}
}

// begin counts n items of the plan and their size in all, -1 when it is not
// known. It must be called from one goroutine.
func (r *recorder) begin(n int, size int64) {
	r.begun += int64(n)
	p := r.opts.Progress
	p.plannedItems.Add(int64(n))
	if size < 0 {
		p.unknownSize.Store(true)
	} else {
		p.plannedB.Add(size)
	}
}

// end records how an item ended. An error of an item that was stopped by the
// end of ctx is not a failure of that item.
func (r *recorder) end(ctx context.Context, ev Event) {
	if ev.Op == "" {
		ev.Op = r.op
	}
	if ev.Err != nil {
		ev.Status = Failed
		if isCancel(ctx, ev.Err) {
			ev.Status, ev.Err = Canceled, nil
		}
	}
	r.gate <- struct{}{}
	defer func() { <-r.gate }()
	p := r.opts.Progress
	switch ev.Status {
	case Failed:
		r.sum.Failed++
		p.failed.Add(1)
		if len(r.sum.Errors) < r.opts.KeepErrors {
			r.sum.Errors = append(r.sum.Errors, ev.Err)
		}
	case Skipped:
		r.sum.Skipped++
		p.skipped.Add(1)
	case Canceled:
		r.sum.Canceled++
		p.canceled.Add(1)
	default:
		ev.Status = Done
		r.sum.Done++
		r.sum.Bytes += ev.Bytes
		p.done.Add(1)
	}
	if r.opts.Event != nil {
		r.opts.Event(ev)
	}
}

// isCancel reports whether err only says that ctx has ended.
func isCancel(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (fault.KindOf(err) == fault.Canceled ||
		errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

// finish closes the books: what was begun and never ended was canceled. err
// is what ended the run early, or nil.
func (r *recorder) finish(err error) (Summary, error) {
	if lost := r.begun - r.sum.Total(); lost > 0 {
		r.sum.Canceled += lost
		r.opts.Progress.canceled.Add(lost)
	}
	if err == nil && r.sum.Failed > 0 {
		err = &ItemsError{Op: r.op, Summary: r.sum}
	}
	return r.sum, err
}
