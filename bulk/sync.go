package bulk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// A Compare says when a sync takes an object at the destination for a copy of
// the one at the source.
type Compare uint8

// The ways to compare.
const (
	// ByTime: sizes are equal, and the copy was written after the source was
	// changed. Where a time has whole seconds, what happened within one
	// second counts as a change. With [Options].Times a local copy must have
	// the time of its source.
	ByTime Compare = 0
	// BySize: sizes are equal.
	BySize Compare = 1
	// ByContent: sizes and contents are equal. What the stores tell of them
	// is used where they do, else both are read.
	ByContent Compare = 2
	// Never takes nothing for a copy, so that everything is copied.
	Never Compare = 3
)

// SyncOptions tunes a plan to sync. Nil and the zero value mean the defaults.
type SyncOptions struct {
	// Compare says what need not be copied. Default [ByTime].
	Compare Compare
	// Delete removes objects at the destination whose name is not at the
	// source. The default leaves them alone.
	Delete bool
	// MaxDelete is how many objects Delete may remove; when there are more,
	// none is, with an error of kind [fault.Refused]. Default 1000; negative
	// means no bound.
	MaxDelete int
	// Filter selects among the objects. Names that its patterns leave out
	// are neither copied nor removed; its bounds on size and time only say
	// what is copied.
	Filter *Filter
	// DryRun compares, and changes nothing: what would be copied or removed
	// is skipped with the reason "dry run".
	DryRun bool
}

// A SyncAction is what a step of a sync does.
type SyncAction uint8

// The actions of a sync.
const (
	SyncCopy    SyncAction = 1 // the object is absent or out of date
	SyncCompare SyncAction = 2 // contents decide whether it is copied
	SyncKeep    SyncAction = 3 // nothing is to be done; SyncStep.Reason says why
	SyncRemove  SyncAction = 4 // the object is not at the source
)

// A SyncStep is one item of a sync.
type SyncStep struct {
	Action SyncAction
	// Src is the object at the source; for SyncRemove its FS is nil.
	Src Object
	// Dst is where it belongs; Dst.Entry.Kind is zero when nothing is there.
	Dst Object
	// Reason says in a few words why.
	Reason string

	compared bool // its contents have been
}

// A SyncPlan says which directory is to become like which. It is a value that
// nobody changes; its steps are found while they are consumed.
type SyncPlan struct {
	// Src and Dst are the directories.
	Src, Dst Ref
	opts     SyncOptions
}

// PlanSync decides how all that is below the directory src comes to be below
// the directory dst. Whether they are spelled with a "/" at the end does not
// matter: it is always the contents that are synced. It looks at both, and
// refuses an absent source (kind [fault.NotExist]), an object in place of
// either directory ([fault.Invalid]), a directory synced with itself or one
// inside the other ([fault.Refused]). A destination that is absent is empty.
func PlanSync(ctx context.Context, mux *fsys.Mux, src, dst string, opts *SyncOptions) (*SyncPlan, error) {
	p := &SyncPlan{}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.MaxDelete == 0 {
		p.opts.MaxDelete = 1000
	}
	if err := p.opts.Filter.Check(); err != nil {
		return nil, err
	}
	for _, end := range []struct {
		url string
		ref *Ref
	}{{src, &p.Src}, {dst, &p.Dst}} {
		if end.url == "" {
			return nil, fault.New("sync", "", fault.Invalid, errors.New("a name is empty"))
		}
		f, path, err := mux.Resolve(ctx, end.url)
		if err != nil {
			return nil, err
		}
		*end.ref = Ref{f, strings.TrimSuffix(path, "/")}
	}
	return p, p.check(ctx)
}

// check looks at both ends.
func (p *SyncPlan) check(ctx context.Context) error {
	e, err := p.Src.FS.Stat(ctx, p.Src.Path)
	if err != nil {
		return err
	}
	if e.Kind != fsys.Dir && !isDir(ctx, p.Src) {
		return fault.New("sync", p.Src.URL(), fault.Invalid, &SpellingError{
			Text: "is an object where a directory is needed", Hint: "leat cp copies objects",
		})
	}
	if sameFS(p.Src.FS, p.Dst.FS) {
		a, b := p.Src.physical().Path, p.Dst.physical().Path
		if a == b || below(a, b) || below(b, a) {
			return fault.New("sync", p.Src.URL(), fault.Refused, errors.New("source and destination are one inside the other"))
		}
	}
	e, err = p.Dst.FS.Stat(ctx, p.Dst.Path)
	switch {
	case fault.KindOf(err) == fault.NotExist:
		return (&copyPlan{dst: p.Dst}).checkStore(ctx)
	case err == nil && e.Kind != fsys.Dir && !isDir(ctx, p.Dst):
		return fault.New("sync", p.Dst.URL(), fault.Invalid, errors.New("is an object where a directory is needed"))
	}
	return err
}

// isDir reports whether something is below r, where an object of that name is
// too, as object stores allow.
func isDir(ctx context.Context, r Ref) bool {
	for _, err := range r.FS.List(ctx, r.Path, nil) {
		return err == nil
	}
	return false
}

// Steps lists both directories side by side and yields what is to be done, in
// byte order of the names and in memory for what is listed ahead. Steps of
// action SyncRemove come last, and only when both listings have come to their
// end without an error, when an object was found at the source, and when
// there are no more than MaxDelete: nothing is removed on the word of an
// incomplete listing. An error is the last pair. The sequence can be consumed
// again, and then lists again. times says that copies keep their times.
func (p *SyncPlan) Steps(ctx context.Context, times bool) iter.Seq2[SyncStep, error] {
	return func(yield func(SyncStep, error) bool) {
		m := &syncMerge{plan: p, times: times, yield: yield}
		if err := m.run(ctx); err != nil && !m.stopped {
			yield(SyncStep{}, err)
		}
	}
}

// refuseRemovals is the guard before the first removal.
func (p *SyncPlan) refuseRemovals(n, found int) error {
	switch {
	case n == 0:
		return nil
	case found == 0:
		return fault.New("sync", p.Src.URL(), fault.Refused, errors.New("the source is empty: nothing is removed from the destination"))
	case p.opts.MaxDelete >= 0 && n > p.opts.MaxDelete:
		return fault.New("sync", p.Dst.URL(), fault.Refused,
			fmt.Errorf("more than %d objects would be removed; none was", p.opts.MaxDelete))
	}
	return nil
}

// compare decides about an object that is in both places.
func (p *SyncPlan) compare(src, dst Object, times bool) (SyncAction, string) {
	a, b := src.size(), dst.size()
	switch {
	case p.opts.Compare == Never:
		return SyncCopy, "always"
	case dst.Entry.Kind != fsys.File:
		return SyncCopy, "no object is there"
	case a != b && a >= 0 && b >= 0:
		return SyncCopy, "other size"
	case p.opts.Compare == ByContent:
		return SyncCompare, ""
	case a < 0 || b < 0:
		return SyncCopy, "size not known"
	case p.opts.Compare == BySize:
		return SyncKeep, "same size"
	}
	_, local := dst.FS.LocalPath("")
	if later(src.Entry.ModTime, dst.Entry.ModTime, times && local) {
		return SyncKeep, "not newer"
	}
	return SyncCopy, "newer"
}

// later reports whether a copy written at dst holds what the source has been
// since src.
func later(src, dst time.Time, kept bool) bool {
	switch {
	case src.IsZero() || dst.IsZero():
		return false
	case kept:
		// File systems round: to 100 ns, and in archives to a second.
		return src.Equal(dst) || src.Truncate(time.Microsecond).Equal(dst.Truncate(time.Microsecond))
	case src.Nanosecond() == 0:
		return !dst.Before(src.Add(time.Second)) // any time within that second
	}
	return !dst.Before(src)
}
