package bulk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// A Step is one item of a copy plan.
type Step struct {
	Src Object
	Dst Ref
	// Skip, when set, says why nothing is to be done.
	Skip string
}

// PlanOptions tunes a plan. Nil and the zero value mean the defaults.
type PlanOptions struct {
	// Recursive takes directories with all that is below them. The default
	// refuses them.
	Recursive bool
	// Flatten puts each object directly into the destination, under the last
	// component of its name. Two that would land on one name are refused.
	Flatten bool
	// MaxDepth is how many levels of a directory are taken with Recursive: 1
	// takes what is directly in it. A directory that a pattern matches is
	// itself the first level. 0 means no bound.
	MaxDepth int
	// Compat decides where a copy lands by the rules of fsspec instead: by
	// what exists at the destination and by how many objects match.
	// [fault.Refused] still guards against losing data.
	Compat bool
	// Raw takes wildcard characters as part of the names.
	Raw bool
	// Filter selects among what the sources name.
	Filter *Filter
	// MaxRemove is how many entries a plan to remove may hold; a larger one
	// is refused with kind [fault.Refused]. Default 1000; negative means no
	// bound.
	MaxRemove int
	// Jobs is how many named sources are looked at at once. Default 256.
	Jobs int
}

func (opts *PlanOptions) withDefaults() PlanOptions {
	var o PlanOptions
	if opts != nil {
		o = *opts
	}
	if o.Jobs <= 0 {
		o.Jobs = defaultJobs
	}
	if o.MaxRemove == 0 {
		o.MaxRemove = 1000
	}
	return o
}

// PlanCopy decides where each object named by args lands under dst. The
// layout depends on how the arguments are spelled, not on what exists:
//
//	source            dst            lands at
//	object a/f        d              d
//	object a/f        d/             d/f
//	directory a/d     n              n/…           with Recursive
//	directory a/d     n/             n/d/…         with Recursive
//	directory a/d/    n  or  n/      n/…           with Recursive
//	pattern a/*/x     n  or  n/      n/…/x         below a, where wildcards begin
//	several           n  or  n/      each as if n/ had been written
//
// What exists can only make it refuse: a source that is absent (kind
// [fault.NotExist]), a directory without Recursive (kind [fault.IsDir]), an
// object where a directory is needed, an existing directory d written
// without "/" (both [fault.Invalid]), an object or directory copied onto or
// into itself, two objects for one name (both [fault.Refused]).
//
// The sources without wildcards are looked at before PlanCopy returns; the
// rest of the plan is listed while the sequence is consumed, unless names
// could collide: then it is listed first. An error is the last pair.
// Directories as such are not copied, so empty ones are left out. The
// sequence can be consumed once.
func PlanCopy(ctx context.Context, mux *fsys.Mux, args []string, dst string, opts *PlanOptions) (iter.Seq2[Step, error], error) {
	p := &copyPlan{opts: opts.withDefaults()}
	return p.make(ctx, mux, args, dst)
}

// make does the work of PlanCopy.
func (p *copyPlan) make(ctx context.Context, mux *fsys.Mux, args []string, dst string) (iter.Seq2[Step, error], error) {
	if err := p.opts.Filter.Check(); err != nil {
		return nil, err
	}
	var err error
	if p.srcs, err = resolveAll(ctx, mux, args, p.opts.Raw, p.opts.Jobs); err != nil {
		return nil, err
	}
	if len(p.srcs) == 0 {
		return nil, fault.New("copy", "", fault.Invalid, errors.New("no source is named"))
	}
	if err := p.target(ctx, mux, dst); err != nil {
		return nil, err
	}
	if p.opts.Compat {
		return p.compat(ctx)
	}
	if err := p.checkSources(); err != nil {
		return nil, err
	}
	if err := p.checkTarget(ctx); err != nil {
		return nil, err
	}
	list := false
	for i := range p.srcs {
		l, err := p.checkOverlap(&p.srcs[i])
		if err != nil {
			return nil, err
		}
		list = list || l
	}
	if !list && !p.opts.Flatten && len(p.srcs) == 1 {
		return p.steps(ctx), nil
	}
	return listed(p.steps(ctx))
}

type copyPlan struct {
	opts    PlanOptions
	srcs    []source
	dst     Ref
	dstArg  string
	dirForm bool // dst is spelled as a directory
	inDir   bool // dst is to be a directory that things are put into
	// tell, when set, is called with each directory that is listed whole.
	tell func(Ref)
}

// target resolves the destination.
func (p *copyPlan) target(ctx context.Context, mux *fsys.Mux, dst string) error {
	if dst == "" {
		return fault.New("copy", "", fault.Invalid, errors.New("the destination is empty"))
	}
	f, path, err := mux.Resolve(ctx, dst)
	if err != nil {
		return err
	}
	p.dstArg = dst
	p.dirForm = path == "" || namesContents(f, dst)
	p.dst = Ref{f, strings.TrimSuffix(path, "/")}
	p.inDir = p.dirForm || len(p.srcs) > 1
	for i := range p.srcs {
		p.inDir = p.inDir || p.srcs[i].wild
	}
	return nil
}

// checkSources refuses what cannot be copied as it is named.
func (p *copyPlan) checkSources() error {
	for i := range p.srcs {
		s := &p.srcs[i]
		switch {
		case s.wild || s.Entry.Kind == fsys.File:
		case s.Entry.Kind == fsys.Other:
			return fault.New("copy", s.URL(), fault.Invalid, errors.New("is neither an object nor a directory"))
		case !p.opts.Recursive:
			return fault.New("copy", s.URL(), fault.IsDir, nil)
		}
	}
	return nil
}

// lone returns the only source when its spelling, with that of dst, gives
// dst itself as the place to land on.
func (p *copyPlan) lone() *source {
	if p.inDir || p.srcs[0].slash {
		return nil
	}
	return &p.srcs[0]
}

// checkTarget looks at what is at the destination. A store that refuses to
// say does not stop a copy: one may write without being allowed to read.
func (p *copyPlan) checkTarget(ctx context.Context) error {
	if p.dst.Path == "" {
		return nil
	}
	e, err := p.dst.FS.Stat(ctx, p.dst.Path)
	lone := p.lone()
	switch kind := fault.KindOf(err); {
	case kind == fault.NotExist:
		return p.checkStore(ctx)
	case kind == fault.Permission, kind == fault.Unsupported:
		return nil
	case err != nil:
		return err
	case e.Kind == fsys.Dir && lone != nil:
		return fault.New("copy", p.dst.URL(), fault.Invalid, &SpellingError{
			Text: "is an existing directory",
			Hint: `end the destination with "/" to copy into it` + contentsHint(lone),
		})
	case e.Kind != fsys.Dir && (lone == nil || lone.Entry.Kind == fsys.Dir):
		return fault.New("copy", p.dst.URL(), fault.Invalid, errors.New("is an object where a directory is needed"))
	}
	return nil
}

func contentsHint(s *source) string {
	if s.Entry.Kind != fsys.Dir {
		return ""
	}
	return `, or the source with "/" to copy only what is in it`
}

// A SpellingError is the cause of a refusal that spelling the arguments in
// another way resolves.
type SpellingError struct {
	Text string // what is wrong
	Hint string // what to write instead
}

// Error returns the text without the hint.
func (e *SpellingError) Error() string { return e.Text }

// checkStore tells a bucket that does not exist apart from a name in it that
// does not: one error now is better than one for each object.
func (p *copyPlan) checkStore(ctx context.Context) error {
	if _, err := p.dst.FS.Stat(ctx, ""); fault.KindOf(err) == fault.NotExist {
		return err
	}
	return nil
}

// checkOverlap refuses to copy a source onto or into itself. list is set
// when the copies could appear in the listing they are made from, so that it
// must end before they begin.
func (p *copyPlan) checkOverlap(s *source) (list bool, err error) {
	if !sameFS(s.FS, p.dst.FS) {
		return false, nil
	}
	refuse := func(how string) error {
		return fault.New("copy", s.arg, fault.Refused, fmt.Errorf("source and destination are %s", how))
	}
	if s.wild {
		src, dst := Ref{s.FS, s.dir}.physical(), p.dst.physical()
		if src.Path == dst.Path && !p.opts.Flatten {
			return false, refuse("the same directory")
		}
		return src.Path == dst.Path || below(dst.Path, src.Path) || below(src.Path, dst.Path), nil
	}
	dst := Ref{p.dst.FS, p.root(s)}
	if s.Entry.Kind == fsys.File {
		if s.Ref.same(dst) {
			return false, refuse("the same object")
		}
		return false, nil
	}
	from, to := s.Ref.physical().Path, dst.physical().Path
	switch {
	case from == to:
		return false, refuse("the same directory")
	case below(to, from):
		return false, refuse("one inside the other")
	}
	return below(from, to), nil
}

// root returns the path that stands for s itself at the destination.
func (p *copyPlan) root(s *source) string {
	if s.wild || s.slash || p.lone() != nil {
		return p.dst.Path
	}
	return join(p.dst.Path, base(s.Path))
}

// steps lists the plan as it is consumed.
func (p *copyPlan) steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		for i := range p.srcs {
			if !p.sourceSteps(ctx, &p.srcs[i], yield) {
				return
			}
		}
	}
}

// sourceSteps yields the steps of one source; false ends the plan.
func (p *copyPlan) sourceSteps(ctx context.Context, s *source, yield func(Step, error) bool) bool {
	switch {
	case s.wild:
		return p.wildSteps(ctx, s, yield)
	case s.Entry.Kind == fsys.File:
		if !p.opts.Filter.Match(base(s.Path), s.Entry) {
			return true
		}
		return yield(p.step(s, s.Entry, "", p.root(s)), nil)
	}
	if !s.slash {
		p.listing(s.Ref)
	}
	return p.treeSteps(ctx, s, s.Path, s.Path, p.root(s), yield)
}

// listing tells of a directory that the plan takes with all that is in it.
func (p *copyPlan) listing(dir Ref) {
	if p.tell != nil {
		p.tell(dir)
	}
}

// treeSteps yields all that is below dir, to land below to. Names are filtered
// as seen from top.
func (p *copyPlan) treeSteps(ctx context.Context, s *source, top, dir, to string, yield func(Step, error) bool) bool {
	for e, err := range s.FS.List(ctx, dir, &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			yield(Step{}, err)
			return false
		}
		if e.Kind == fsys.Dir {
			p.listing(Ref{s.FS, e.Path})
			continue
		}
		if p.opts.MaxDepth > 0 && p.level(s)+depth(relative(e.Path, dir)) > p.opts.MaxDepth {
			continue
		}
		if p.opts.Filter.Match(relative(e.Path, top), e) && !yield(p.step(s, e, dir, to), nil) {
			return false
		}
	}
	return true
}

// level is how many levels a directory of s has used up before what is in it.
func (*copyPlan) level(s *source) int {
	if s.wild {
		return 1
	}
	return 0
}

// wildSteps yields what a pattern matches and, with Recursive, all below the
// directories it matches.
func (p *copyPlan) wildSteps(ctx context.Context, s *source, yield func(Step, error) bool) bool {
	n, last := 0, ""
	for e, err := range s.FS.Glob(ctx, s.pattern, &fsys.GlobOptions{Dirs: p.opts.Recursive}) {
		if err != nil {
			yield(Step{}, err)
			return false
		}
		n++
		if last != "" && below(e.Path, last) {
			continue // copied with the directory above it
		}
		if e.Kind != fsys.Dir {
			if p.opts.Filter.Match(relative(e.Path, s.dir), e) && !yield(p.step(s, e, s.dir, p.dst.Path), nil) {
				return false
			}
			continue
		}
		last = e.Path
		p.listing(Ref{s.FS, e.Path})
		if !p.treeSteps(ctx, s, s.dir, e.Path, join(p.dst.Path, relative(e.Path, s.dir)), yield) {
			return false
		}
	}
	if n == 0 {
		yield(Step{}, errNoMatch("copy", s))
		return false
	}
	return true
}

// relative returns path as seen from dir, which is above it.
func relative(path, dir string) string {
	if dir == "" {
		return path
	}
	return strings.TrimPrefix(path, dir+"/")
}

// step makes the step for an entry found below dir. With an empty relative
// part the object lands on to itself.
func (p *copyPlan) step(s *source, e fsys.Entry, dir, to string) Step {
	st := Step{Src: Object{Ref{s.FS, e.Path}, e}}
	switch {
	case e.Path == s.Path && !s.wild:
		st.Dst = Ref{p.dst.FS, to}
	case p.opts.Flatten:
		st.Dst = Ref{p.dst.FS, join(p.dst.Path, base(e.Path))}
	default:
		st.Dst = Ref{p.dst.FS, join(to, relative(e.Path, dir))}
	}
	p.mark(&st)
	return st
}

// mark notes why nothing is to be done with an entry.
func (p *copyPlan) mark(st *Step) {
	e := st.Src.Entry
	if e.Kind == fsys.Other {
		st.Skip = "neither an object nor a directory"
	} else if _, local := p.dst.FS.LocalPath(""); local && e.Size == 0 && strings.HasSuffix(e.Path, "/") {
		st.Skip = "marks a directory"
	}
}

// listed makes the whole plan at once and refuses one in which two objects
// land on one name, or one on itself. It costs memory: about 300 bytes and
// two names for each object.
func listed(steps iter.Seq2[Step, error]) (iter.Seq2[Step, error], error) {
	var all []Step
	seen := map[string]int{}
	for st, err := range steps {
		if err != nil {
			return nil, err
		}
		if st.Skip == "" {
			if st.Src.same(st.Dst) {
				return nil, fault.New("copy", st.Src.URL(), fault.Refused, errors.New("source and destination are the same object"))
			}
			to := st.Dst.URL()
			if i, dup := seen[to]; dup {
				return nil, fault.New("copy", st.Dst.URL(), fault.Refused,
					fmt.Errorf("two sources would land here: %q and %q", all[i].Src.URL(), st.Src.URL()))
			}
			seen[to] = len(all)
		}
		all = append(all, st)
	}
	return func(yield func(Step, error) bool) {
		for _, st := range all {
			if !yield(st, nil) {
				return
			}
		}
	}, nil
}
