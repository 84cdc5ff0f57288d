package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// compat makes the whole plan by the rules of fsspec, as its cp, get and put
// apply them: what they name is expanded to a sorted list of paths, and the
// layout follows from the common prefix of the list, from whether the
// destination is a directory, and from how many paths there are.
//
// Two things differ, because they lose data: two sources for one name, and a
// source that is its own destination, are refused.
func (p *copyPlan) compat(ctx context.Context) (iter.Seq2[Step, error], error) {
	found, err := p.expandAll(ctx)
	if err != nil {
		return nil, err
	}
	list := len(p.srcs) > 1
	if !list && (!p.opts.Recursive || p.opts.MaxDepth > 0) {
		found = slices.DeleteFunc(found, func(o Object) bool { return o.Entry.Kind == fsys.Dir })
	}
	isFile, isDir, err := p.compatTarget(ctx)
	if err != nil {
		return nil, err
	}
	prefix := commonPrefix(found)
	src := &p.srcs[0]
	if !list && (src.wild && len(found) == 1 || !src.wild && (isDir || p.dirForm) && !src.slash) {
		prefix = parent(prefix)
	}
	steps := func(yield func(Step, error) bool) {
		for _, o := range found {
			if o.Entry.Kind == fsys.Dir {
				continue
			}
			to := join(p.dst.Path, base(o.Path))
			if !list {
				to = strings.TrimSuffix(join(p.dst.Path, relative(o.Path, prefix)), "/")
				if o.Path == prefix {
					to = p.dst.Path
				}
			}
			st := Step{Src: o, Dst: Ref{p.dst.FS, to}}
			p.mark(&st)
			if isFile && to != p.dst.Path {
				yield(Step{}, fault.New("copy", p.dst.URL(), fault.Invalid, errors.New("is an object where a directory is needed")))
				return
			}
			if p.opts.Filter.Match(relative(o.Path, prefix), o.Entry) && !yield(st, nil) {
				return
			}
		}
	}
	return listed(steps)
}

// compatTarget says what is at the destination.
func (p *copyPlan) compatTarget(ctx context.Context) (isFile, isDir bool, err error) {
	if p.dst.Path == "" {
		return false, true, nil
	}
	e, err := p.dst.FS.Stat(ctx, p.dst.Path)
	switch fault.KindOf(err) {
	case fault.NotExist:
		return false, false, p.checkStore(ctx)
	case fault.Permission, fault.Unsupported:
		return false, false, nil
	}
	return err == nil && e.Kind == fsys.File, e.Kind == fsys.Dir, err
}

// expandAll returns what the sources name, directories too, sorted and each
// once.
func (p *copyPlan) expandAll(ctx context.Context) ([]Object, error) {
	var all []Object
	for i := range p.srcs {
		s := &p.srcs[i]
		if !s.wild {
			all = append(all, s.Object)
			if err := p.descend(ctx, s.Object, p.opts.MaxDepth, &all); err != nil {
				return nil, err
			}
			continue
		}
		n := len(all)
		for e, err := range s.FS.Glob(ctx, s.pattern, &fsys.GlobOptions{Dirs: true}) {
			if err != nil {
				return nil, err
			}
			deep := strings.Contains(s.pattern, "**") && p.opts.MaxDepth > 0
			if !deep || depth(relative(e.Path, s.dir)) <= p.opts.MaxDepth {
				all = append(all, Object{Ref{s.FS, e.Path}, e})
			}
		}
		if len(all) == n {
			return nil, errNoMatch("copy", s)
		}
		if p.opts.MaxDepth == 1 {
			continue // the matches are the first level
		}
		for _, o := range all[n:] {
			if err := p.descend(ctx, o, max(p.opts.MaxDepth-1, 0), &all); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(all, func(a, b Object) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b Object) bool { return a.same(b.Ref) }), nil
}

// descend appends all that is below a directory, at most levels deep, with
// Recursive; 0 is no bound. Object stores list no directories: those above
// each object are added.
func (p *copyPlan) descend(ctx context.Context, o Object, levels int, all *[]Object) error {
	if o.Entry.Kind != fsys.Dir || !p.opts.Recursive {
		return nil
	}
	last := ""
	for e, err := range o.FS.List(ctx, o.Path, &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			return err
		}
		rel := relative(e.Path, o.Path)
		for i := range len(rel) {
			if dir := rel[:i]; rel[i] == '/' && !below(last, dir) && (levels == 0 || depth(dir) <= levels) {
				path := join(o.Path, dir)
				*all = append(*all, Object{Ref{o.FS, path}, fsys.Entry{Path: path, Kind: fsys.Dir, Size: -1}})
			}
		}
		last = rel
		if levels == 0 || depth(rel) <= levels {
			*all = append(*all, Object{Ref{o.FS, e.Path}, e})
		}
	}
	return nil
}

// depth counts the components of a path.
func depth(path string) int { return strings.Count(path, "/") + 1 }

// parent returns path without its last component.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// commonPrefix returns the components that all paths begin with.
func commonPrefix(objs []Object) string {
	if len(objs) == 0 {
		return ""
	}
	prefix := objs[0].Path
	for _, o := range objs[1:] {
		for prefix != "" && o.Path != prefix && !below(o.Path, prefix) {
			prefix = parent(prefix)
		}
	}
	return prefix
}

// PlanPairs plans a copy of each object named by srcs to the name in dsts at
// the same place, exactly as they are spelled: no wildcards, no directories.
// It refuses lists of different lengths and a name that is empty (kind
// [fault.Invalid]), an absent source ([fault.NotExist]), a directory
// ([fault.IsDir]), two sources for one name and an object onto itself (both
// [fault.Refused]).
func PlanPairs(ctx context.Context, mux *fsys.Mux, srcs, dsts []string, opts *PlanOptions) (iter.Seq2[Step, error], error) {
	if len(srcs) != len(dsts) || len(srcs) == 0 {
		return nil, fault.New("copy", "", fault.Invalid, fmt.Errorf("%d sources for %d destinations", len(srcs), len(dsts)))
	}
	p := &copyPlan{opts: opts.withDefaults()}
	found, err := resolveAll(ctx, mux, srcs, true, p.opts.Jobs)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, len(srcs))
	for i, dst := range dsts {
		switch s := &found[i]; {
		case s.Entry.Kind == fsys.Dir:
			return nil, fault.New("copy", s.URL(), fault.IsDir, nil)
		case dst == "":
			return nil, fault.New("copy", s.URL(), fault.Invalid, errors.New("the destination is empty"))
		}
		f, path, err := mux.Resolve(ctx, dst)
		if err != nil {
			return nil, err
		}
		p.dst.FS = f
		steps[i] = Step{Src: found[i].Object, Dst: Ref{f, path}}
		p.mark(&steps[i])
	}
	return listed(func(yield func(Step, error) bool) {
		for _, st := range steps {
			if !yield(st, nil) {
				return
			}
		}
	})
}
