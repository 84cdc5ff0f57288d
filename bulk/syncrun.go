package bulk

import (
	"context"
	"fmt"
	"iter"

	"github.com/leat-dev/leat/fault"
)

// Sync runs a plan of [PlanSync] and returns when all of it has ended.
// Listing, comparing and copying overlap; what is to be removed is removed
// after everything has been copied, and only when no copy failed. A sync that
// was interrupted is resumed by running it again: objects appear complete or
// not at all, so what is there is compared like anything else. Directories as
// such are neither made nor removed.
//
// Errors are those of [Copy]; [SyncPlan.Steps] has those of the plan.
// NoClobber of opts leaves out whatever is at the destination.
func Sync(ctx context.Context, plan *SyncPlan, opts *Options) (Summary, error) {
	r := &syncRun{copyRun: copyRun{recorder: newRecorder("sync", opts)}, plan: plan}
	err := each(ctx, r.recorder, r.copies(plan.Steps(ctx, r.opts.Times)), r.planned, r.step)
	if err == nil && r.guard != nil {
		err = r.guard
	}
	if err == nil {
		err = r.remove(ctx)
	}
	return r.finish(err)
}

type syncRun struct {
	copyRun
	plan    *SyncPlan
	removed RemovePlan
	guard   error // why nothing may be removed; what was planned is still copied
}

func (st SyncStep) name() string { return st.Src.Path }

// copies yields the steps that are not removals and keeps those that are.
func (r *syncRun) copies(steps iter.Seq2[SyncStep, error]) iter.Seq2[SyncStep, error] {
	return func(yield func(SyncStep, error) bool) {
		for st, err := range steps {
			switch {
			case err != nil && fault.KindOf(err) == fault.Refused:
				r.guard = err
				return
			case err == nil && st.Action == SyncRemove:
				r.removed.Objects = append(r.removed.Objects, st.Dst)
				continue
			}
			if !yield(st, err) || err != nil {
				return
			}
		}
	}
}

// planned counts a step that is not a removal.
func (r *syncRun) planned(st SyncStep) {
	if st.Action == SyncKeep {
		r.begin(1, 0)
		return
	}
	r.begin(1, st.Src.size())
}

// step does one step and records how it ended.
func (r *syncRun) step(ctx context.Context, st SyncStep) {
	ev := Event{Op: "copy", Src: st.Src.Ref, Dst: st.Dst.Ref}
	if st.Action == SyncCompare {
		st = r.compare(ctx, st, &ev)
	}
	switch {
	case ev.Err != nil:
	case st.Action == SyncKeep:
		ev.Status, ev.Reason = Skipped, st.Reason
		r.discount(st)
	case r.plan.opts.DryRun:
		ev.Status, ev.Reason = Skipped, dryRun
	default:
		ev.Bytes, ev.Reason, ev.Err = r.copy(ctx, Step{Src: st.Src, Dst: st.Dst.Ref})
		if ev.Reason != "" {
			ev.Status = Skipped
		}
	}
	r.end(ctx, ev)
}

const dryRun = "dry run"

// discount takes what turned out not to need a copy out of the bytes to move.
func (r *syncRun) discount(st SyncStep) {
	if st.compared {
		r.opts.Progress.plannedB.Add(-max(st.Src.size(), 0))
	}
}

// compare looks at the contents of both sides.
func (r *syncRun) compare(ctx context.Context, st SyncStep, ev *Event) SyncStep {
	same, err := r.sameContents(ctx, st.Src, st.Dst)
	st.Action, st.Reason, st.compared = SyncCopy, "other contents", true
	if same {
		st.Action, st.Reason = SyncKeep, "same contents"
	}
	if err != nil {
		ev.Err = fmt.Errorf("compare: %w", err)
	}
	return st
}

// remove removes what is not at the source, unless a copy failed: then what
// is there may be all that is left.
func (r *syncRun) remove(ctx context.Context) error {
	n := r.removed.Len()
	if n == 0 {
		return nil
	}
	r.begin(n, 0)
	reason := ""
	switch {
	case r.plan.opts.DryRun:
		reason = dryRun
	case r.sum.Failed > 0:
		reason = "not removed: a copy failed"
	}
	if reason == "" {
		return (&removeRun{r.recorder}).run(ctx, &r.removed)
	}
	for _, o := range r.removed.Objects {
		r.end(ctx, Event{Op: "remove", Src: o.Ref, Status: Skipped, Reason: reason})
	}
	return nil
}
