package bulk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/task"
)

// A RemovePlan lists what a removal would delete. It is made completely
// before anything is deleted, so that a listing that fails deletes nothing.
type RemovePlan struct {
	// Objects go first, in any order.
	Objects []Object
	// Dirs are directories of stores that have real ones. They go last, the
	// deepest first, and have to be empty by then.
	Dirs []Ref
}

// Len returns the number of entries.
func (p *RemovePlan) Len() int { return len(p.Objects) + len(p.Dirs) }

// PlanRemove lists what args name: objects, what patterns match and, with
// Recursive, directories with all that is below them. A symbolic link is
// removed itself, never what it points to. With a Filter directories stay,
// and nothing may be left to remove. It refuses an absent source (kind
// [fault.NotExist]), a directory without Recursive ([fault.IsDir]) and a
// plan of more than MaxRemove entries ([fault.Refused]). The plan costs
// memory: about 200 bytes and a name for each entry.
func PlanRemove(ctx context.Context, mux *fsys.Mux, args []string, opts *PlanOptions) (*RemovePlan, error) {
	p := &removePlan{opts: opts.withDefaults()}
	if err := p.opts.Filter.Check(); err != nil {
		return nil, err
	}
	srcs, err := resolveAll(ctx, mux, args, p.opts.Raw, p.opts.Jobs)
	if err != nil {
		return nil, err
	}
	if len(srcs) == 0 {
		return nil, fault.New("remove", "", fault.Invalid, errors.New("no source is named"))
	}
	if len(srcs) > 1 {
		p.seen = map[string]bool{}
	}
	for i := range srcs {
		if err := p.source(ctx, &srcs[i]); err != nil {
			return nil, err
		}
	}
	return &p.RemovePlan, nil
}

type removePlan struct {
	RemovePlan
	opts PlanOptions
	seen map[string]bool // URLs, kept when several arguments may overlap
}

// source adds what one argument names.
func (p *removePlan) source(ctx context.Context, s *source) error {
	if s.wild {
		return p.wild(ctx, s)
	}
	if s.Entry.Kind != fsys.Dir {
		return p.add(base(s.Path), s.Object)
	}
	switch {
	case s.isLink() && s.slash:
		return fault.New("remove", s.URL(), fault.Invalid, errors.New(`is a link to a directory: leave out the "/" to remove the link`))
	case s.isLink():
		return p.add(base(s.Path), s.Object)
	case !p.opts.Recursive:
		return fault.New("remove", s.URL(), fault.IsDir, nil)
	}
	return p.tree(ctx, s.Path, s.Ref)
}

func (p *removePlan) wild(ctx context.Context, s *source) error {
	n, last := 0, ""
	opts := &fsys.GlobOptions{Dirs: p.opts.Recursive, Others: true}
	for e, err := range s.FS.Glob(ctx, s.pattern, opts) {
		if err != nil {
			return err
		}
		n++
		o := Object{Ref{s.FS, e.Path}, e}
		switch {
		case last != "" && below(e.Path, last):
			continue // listed with the directory above it
		case e.Kind == fsys.Dir && !o.isLink():
			last = e.Path
			err = p.tree(ctx, s.dir, o.Ref)
		default:
			err = p.add(relative(e.Path, s.dir), o)
		}
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return errNoMatch("remove", s)
	}
	return nil
}

// tree adds all that is below dir, and dir itself where directories are
// real. Which are is known of local files, and of every directory that a
// recursive listing names. Names are filtered as seen from top.
func (p *removePlan) tree(ctx context.Context, top string, dir Ref) error {
	for e, err := range dir.FS.List(ctx, dir.Path, &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			return err
		}
		o := Object{Ref{dir.FS, e.Path}, e}
		if e.Kind == fsys.Dir && !o.isLink() {
			err = p.addDir(o.Ref)
		} else {
			err = p.add(relative(e.Path, top), o)
		}
		if err != nil {
			return err
		}
	}
	if _, local := dir.FS.LocalPath(""); local && dir.Path != "" {
		return p.addDir(dir)
	}
	return nil
}

func (p *removePlan) add(name string, o Object) error {
	if !p.opts.Filter.Match(name, o.Entry) || p.known(o.Ref) {
		return nil
	}
	p.Objects = append(p.Objects, o)
	return p.guard()
}

func (p *removePlan) addDir(r Ref) error {
	if p.opts.Filter.any() || p.known(r) {
		return nil
	}
	p.Dirs = append(p.Dirs, r)
	return p.guard()
}

func (p *removePlan) known(r Ref) bool {
	if p.seen == nil {
		return false
	}
	url := r.URL()
	was := p.seen[url]
	p.seen[url] = true
	return was
}

func (p *removePlan) guard() error {
	if p.opts.MaxRemove > 0 && p.Len() > p.opts.MaxRemove {
		return fault.New("remove", "", fault.Refused,
			fmt.Errorf("more than %d entries would be removed; nothing was", p.opts.MaxRemove))
	}
	return nil
}

// Remove runs a plan of [PlanRemove] and returns when all of it has ended.
// Stores that delete many objects with one request are asked to. An entry
// that is gone already is skipped, and so is a directory that is not empty
// because something in it could not be removed. Errors are those of [Copy].
func Remove(ctx context.Context, plan *RemovePlan, opts *Options) (Summary, error) {
	r := &removeRun{newRecorder("remove", opts)}
	r.begin(plan.Len(), 0)
	r.opts.Progress.complete.Store(true)
	return r.finish(r.run(ctx, plan))
}

// run removes what plan holds and returns what ended it early.
func (r *removeRun) run(ctx context.Context, plan *RemovePlan) error {
	begun := func(batch) {}
	err := each(ctx, r.recorder, batches(plan.Objects), begun, r.objects)
	for _, level := range levels(plan.Dirs) {
		if err == nil {
			err = each(ctx, r.recorder, batches(level), begun, r.dirs)
		}
	}
	return err
}

// A batch is what one request removes: paths of one file system.
type batch struct {
	fs    *fsys.FS
	paths []string
}

// name is that of the first path.
func (b batch) name() string { return b.paths[0] }

// batches cuts what stands together in one file system into batches.
func batches(objs []Object) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		var b batch
		limit := 0
		for _, o := range objs {
			if len(b.paths) > 0 && (len(b.paths) == limit || !sameFS(b.fs, o.FS)) {
				if !yield(b, nil) {
					return
				}
				b.paths = nil
			}
			if len(b.paths) == 0 {
				b.fs, limit = o.FS, 1
				if d, ok := o.FS.Driver().(driver.BatchRemover); ok {
					limit = max(d.MaxRemoveBatch(), 1)
				}
			}
			b.paths = append(b.paths, o.Path)
		}
		if len(b.paths) > 0 {
			yield(b, nil)
		}
	}
}

// levels groups directories by depth, the deepest first: those of one level
// can go at the same time.
func levels(dirs []Ref) [][]Object {
	byDepth := map[int][]Object{}
	for _, d := range dirs {
		n := strings.Count(d.Path, "/")
		byDepth[n] = append(byDepth[n], Object{Ref: d})
	}
	var out [][]Object
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(byDepth))) {
		out = append(out, byDepth[n])
	}
	return out
}

type removeRun struct{ *recorder }

func (r *removeRun) objects(ctx context.Context, b batch) {
	for i, err := range r.request(ctx, b) {
		r.ended(ctx, Ref{b.fs, b.paths[i]}, err)
	}
}

// dirs removes directories one by one: stores with real directories have no
// batches for them.
func (r *removeRun) dirs(ctx context.Context, b batch) {
	for _, path := range b.paths {
		d := Ref{b.fs, path}
		err := r.request(ctx, batch{b.fs, []string{path}})[0]
		if fault.KindOf(err) == fault.Exist && r.opts.Progress.failed.Load() > 0 {
			r.end(ctx, Event{Op: "remove", Src: d, Status: Skipped, Reason: "not empty"})
			continue
		}
		r.ended(ctx, d, err)
	}
}

// ended records the end of one entry.
func (r *removeRun) ended(ctx context.Context, what Ref, err error) {
	ev := Event{Op: "remove", Src: what, Err: err}
	if fault.KindOf(err) == fault.NotExist {
		ev = Event{Op: "remove", Src: what, Status: Skipped, Reason: "gone already"}
	}
	r.end(ctx, ev)
}

// request removes a batch and returns one error per path.
func (r *removeRun) request(ctx context.Context, b batch) []error {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return slices.Repeat([]error{err}, len(b.paths))
	}
	defer task.Requests().Release(1)
	if len(b.paths) == 1 {
		return []error{b.fs.Remove(ctx, b.paths[0])}
	}
	return b.fs.RemoveBatch(ctx, b.paths)
}
