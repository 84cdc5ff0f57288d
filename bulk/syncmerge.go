package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// listAhead is how many objects of each side are listed ahead: three pages
// of S3.
const listAhead = 3000

// A syncMerge walks two listings at once.
type syncMerge struct {
	plan  *SyncPlan
	times bool
	yield func(SyncStep, error) bool

	found   int      // objects at the source
	removed []Object // at the destination alone; no more than it takes to refuse them
	stopped bool     // the consumer has had enough
}

// errEnough ends the listings when the consumer breaks out.
var errEnough = errors.New("enough")

// run yields all steps and returns what ended the listings early.
func (m *syncMerge) run(ctx context.Context) error {
	src, dst := newSide(m.plan.Src), newSide(m.plan.Dst)
	dst.mayBeAbsent = true
	err := task.Run(ctx, &task.Options{Name: "list"}, func(g *task.Group) error {
		g.GoLater("source", src.list)
		g.GoLater("destination", dst.list)
		if err := m.merge(g.Context(), src, dst); err != nil {
			return err
		}
		return errors.Join(src.err, dst.err)
	})
	switch {
	case m.stopped:
		return errEnough
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case src.err != nil && !src.cut: // both sides have ended: they can be read
		return src.err
	case dst.err != nil && !dst.cut:
		return dst.err
	case err != nil:
		return err
	}
	if err := m.plan.refuseRemovals(len(m.removed), m.found); err != nil {
		return err
	}
	for _, o := range m.removed {
		if !m.yield(SyncStep{Action: SyncRemove, Dst: o, Reason: "not at the source"}, nil) {
			m.stopped = true
			break
		}
	}
	return nil
}

// merge pairs the objects of both sides by name until one side breaks off or
// both have ended.
func (m *syncMerge) merge(ctx context.Context, src, dst *side) error {
	a, err := src.next(ctx)
	if err != nil {
		return err
	}
	b, err := dst.next(ctx)
	for err == nil && (a.ok || b.ok) {
		var ca, cb bool // which side goes on
		switch {
		case !b.ok || a.ok && a.name < b.name:
			m.one(a, sideItem{})
			ca = true
		case !a.ok || b.name < a.name:
			m.alone(b)
			cb = true
		default:
			m.one(a, b)
			ca, cb = true, true
		}
		if m.stopped {
			return errEnough
		}
		if ca {
			a, err = src.next(ctx)
		}
		if cb && err == nil {
			b, err = dst.next(ctx)
		}
	}
	return err
}

// one plans an object of the source; b is what is in its place, if anything.
func (m *syncMerge) one(a, b sideItem) {
	p := m.plan
	if !p.opts.Filter.Name(a.name) {
		return
	}
	m.found++
	st := SyncStep{Src: Object{Ref{p.Src.FS, a.entry.Path}, a.entry}}
	st.Dst = Object{Ref: Ref{p.Dst.FS, join(p.Dst.Path, a.name)}}
	if b.ok {
		st.Dst.Entry = b.entry
	}
	_, local := p.Dst.FS.LocalPath("")
	switch {
	case a.entry.Kind == fsys.Other:
		st.Action, st.Reason = SyncKeep, "neither an object nor a directory"
	case local && a.entry.Size == 0 && strings.HasSuffix(a.name, "/"):
		st.Action, st.Reason = SyncKeep, "marks a directory"
	case !p.opts.Filter.Match(a.name, a.entry):
		return
	case !b.ok:
		st.Action, st.Reason = SyncCopy, "absent"
	default:
		st.Action, st.Reason = p.compare(st.Src, st.Dst, m.times)
	}
	m.stopped = !m.yield(st, nil)
}

// alone notes an object that is at the destination only. Markers of
// directories stay: they stand for what the source may have no objects for.
func (m *syncMerge) alone(b sideItem) {
	p := m.plan
	marker := b.entry.Size == 0 && strings.HasSuffix(b.name, "/")
	if !p.opts.Delete || b.entry.Kind != fsys.File || marker || !p.opts.Filter.Name(b.name) {
		return
	}
	if p.opts.MaxDelete < 0 || len(m.removed) <= p.opts.MaxDelete {
		m.removed = append(m.removed, Object{Ref{p.Dst.FS, b.entry.Path}, b.entry})
	}
}

// A side is one of the two listings. A task of its own lists ahead.
type side struct {
	dir         Ref
	mayBeAbsent bool
	items       chan sideItem
	err         error // set before items is closed
	cut         bool  // err only says that the other side ended the run
}

// A sideItem is an object under its name below the directory. It is not ok at
// the end.
type sideItem struct {
	name  string
	entry fsys.Entry
	ok    bool
}

func newSide(dir Ref) *side { return &side{dir: dir, items: make(chan sideItem, listAhead)} }

// next returns the next object. An error is that of the listing.
func (s *side) next(ctx context.Context) (sideItem, error) {
	select {
	case it, ok := <-s.items:
		if !ok {
			return it, s.err
		}
		return it, nil
	case <-ctx.Done():
		return sideItem{}, context.Cause(ctx)
	}
}

// list lists the directory into the channel. Every error it meets ends it and
// is kept: none is taken for an absence, except that of the whole directory.
func (s *side) list(ctx context.Context) error {
	defer close(s.items)
	last, first := "", true
	for e, err := range s.dir.FS.List(ctx, s.dir.Path, &fsys.ListOptions{Recursive: true}) {
		switch {
		case err != nil && first && s.mayBeAbsent && fault.KindOf(err) == fault.NotExist:
			return nil
		case err != nil:
			s.err = err
			return nil
		}
		first = false
		if e.Kind == fsys.Dir {
			continue
		}
		it := sideItem{relative(e.Path, s.dir.Path), e, true}
		if it.name <= last && last != "" {
			s.err = fault.New("list", s.dir.URL(), fault.Internal,
				fmt.Errorf("%q comes after %q: the listing is not in order", it.name, last))
			return nil
		}
		last = it.name
		select {
		case s.items <- it:
		case <-ctx.Done():
			s.err, s.cut = context.Cause(ctx), true
			return nil
		}
	}
	return nil
}
