package work

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
	"github.com/leat-dev/leat/task"
)

// lazyChunk is how many calls of a lazy function are one task.
const lazyChunk = 256

// Run carries out a lease and blocks until that is done or ctx has ended and
// everything of it has stopped. It calls emit with what became of the inputs
// as they end, one call at a time, and once with a final report, which is
// the last. Inputs that ctx kept from ending are in no report.
//
// In a job with a reduce only failures are reported as they come: what
// succeeded is in the final report, as ranges, with the key of the partial
// that they are folded into.
func (r *Runner) Run(ctx context.Context, l *sched.Lease, emit func(*sched.Done)) {
	run := &leaseRun{ctx: ctx, r: r, lease: l, rep: newReporter(l, emit)}
	p, err := r.plan(ctx, l.Spec)
	if err == nil {
		err = checkLease(l)
	}
	if err != nil {
		run.failAll(ctx, err)
		run.rep.end(nil)
		return
	}
	run.plan = p
	run.reduce = p.spec.Reduces()
	defer run.closeFolds()
	// No task returns an error, so what is left is that ctx has ended.
	task.Run(ctx, &task.Options{Name: "lease", Limit: r.opts.Width}, func(g *task.Group) error {
		run.start(ctx, g)
		return nil
	})
	run.rep.end(func(d *sched.Done) { run.finish(ctx, d) })
}

// checkLease makes sure that the parts of the lease fit together.
func checkLease(l *sched.Lease) error {
	if !l.Names.Valid() || uint64(l.Names.Len()) != l.Set.Len() {
		return fault.New("run", l.Job, fault.Internal,
			fmt.Errorf("a lease of %d inputs has %d names", l.Set.Len(), l.Names.Len()))
	}
	return nil
}

// A leaseRun is a lease that is being carried out.
type leaseRun struct {
	ctx    context.Context // of Run; folds outlive the tasks that make them
	r      *Runner
	lease  *sched.Lease
	plan   *plan
	rep    *reporter
	reduce bool

	mu      sync.Mutex
	folded  sched.Set // inputs whose results are in folds
	free    []Fold    // folds that nobody uses now
	folds   []Fold    // all
	foldErr error
}

// failAll reports every input as failed with err, unless ctx has ended.
func (l *leaseRun) failAll(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	names := &l.lease.Names
	named := checkLease(l.lease) == nil
	at := 0
	for _, rg := range l.lease.Set {
		for i := range rg.N {
			f := sched.Failure{Range: sched.Range{From: rg.From + i, N: 1}, Problem: problem(err)}
			if named {
				f.Name = nameBytes(names, at)
			}
			l.rep.failure(f)
			at++
		}
	}
}

// nameBytes returns name i without copying it.
func nameBytes(n *sched.Names, i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = n.Ends[i-1]
	}
	return n.Blob[from:n.Ends[i]:n.Ends[i]]
}

// A unit is what one call or one process gets.
type unit struct {
	rg    sched.Range
	first int // its place in the names
}

// units calls fn with the units of the lease: single inputs, or batches of
// neighbours.
func (l *leaseRun) units(fn func(unit)) {
	batch := uint64(max(l.plan.spec.Batch, 1))
	at := 0
	for _, rg := range l.lease.Set {
		for rg.N > 0 {
			n := min(batch, rg.N)
			fn(unit{sched.Range{From: rg.From, N: n}, at})
			rg = sched.Range{From: rg.From + n, N: rg.N - n}
			at += int(n)
		}
	}
}

// start starts the tasks of the lease.
func (l *leaseRun) start(ctx context.Context, g *task.Group) {
	if l.plan.fn.lazy {
		l.startLazy(ctx, g)
		return
	}
	l.units(func(u unit) {
		if ctx.Err() != nil {
			return
		}
		name, _ := l.lease.Names.At(u.first)
		g.Go(name, func(ctx context.Context) error {
			if l.r.width.Acquire(ctx, 1) != nil {
				return nil
			}
			defer l.r.width.Release(1)
			l.do(ctx, u)
			return nil
		})
	})
}

// startLazy starts tasks of many inputs each: the calls cost less than tasks
// would.
func (l *leaseRun) startLazy(ctx context.Context, g *task.Group) {
	var chunk []unit
	start := func() {
		us := chunk
		chunk = nil
		if len(us) == 0 {
			return
		}
		g.Go("", func(ctx context.Context) error {
			if l.r.slots.Acquire(ctx, 1) != nil {
				return nil
			}
			defer l.r.slots.Release(1)
			l.doLazy(ctx, us)
			return nil
		})
	}
	l.units(func(u unit) {
		if chunk == nil {
			chunk = make([]unit, 0, lazyChunk)
		}
		if chunk = append(chunk, u); len(chunk) == lazyChunk {
			start()
		}
	})
	start()
}

// input makes the input at place i of the names.
func (l *leaseRun) input(i int, index uint64) *Input {
	url, size := l.lease.Names.At(i)
	return &Input{URL: url, Index: index, Size: size, res: l.r.opts.Mux}
}

func (l *leaseRun) inputs(u unit) []*Input {
	ins := make([]*Input, u.rg.N)
	for i := range ins {
		ins[i] = l.input(u.first+i, u.rg.From+uint64(i))
	}
	return ins
}

// ended reports what became of a unit. What failed because the lease was
// stopped is not reported.
func (l *leaseRun) ended(ctx context.Context, u unit, o outcome, err error) {
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		l.rep.failure(sched.Failure{Range: u.rg, Name: nameBytes(&l.lease.Names, u.first), Problem: problem(err)})
	case l.reduce:
		l.fold(u, o.value)
	default:
		l.rep.item(&sched.Item{Range: u.rg, Name: nameBytes(&l.lease.Names, u.first),
			Value: o.value, Key: o.key, Size: o.size})
	}
}

// fold puts a result into a fold that nobody uses, so that folding is as
// parallel as the tasks are.
func (l *leaseRun) fold(u unit, value []byte) {
	f, err := l.takeFold()
	if err == nil {
		name := string(nameBytes(&l.lease.Names, u.first))
		err = f.Add(u.rg.From, name, value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f != nil {
		l.free = append(l.free, f)
	}
	if err != nil {
		l.foldErr = err
		return
	}
	l.folded.Add(u.rg)
}

func (l *leaseRun) takeFold() (Fold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		f := l.free[n-1]
		l.free = l.free[:n-1]
		return f, nil
	}
	f, err := l.r.newFold(l.ctx, l.plan.spec)
	if err != nil {
		return nil, err
	}
	l.folds = append(l.folds, f)
	return f, nil
}

// finish completes the final report.
func (l *leaseRun) finish(ctx context.Context, d *sched.Done) {
	if !l.reduce || ctx.Err() != nil {
		return
	}
	if l.foldErr == nil && len(l.folded) > 0 {
		d.Partial, l.foldErr = l.encode(ctx)
	}
	switch {
	case ctx.Err() != nil:
		if d.Partial != nil {
			l.r.opts.Store.Drop(d.Partial.Key)
			d.Partial = nil
		}
	case l.foldErr != nil:
		p := problem(l.foldErr)
		d.FoldErr = &p
	default:
		for _, rg := range l.folded {
			d.Items = append(d.Items, sched.Item{Range: rg})
		}
	}
}

// encode makes the partial of the lease.
func (l *leaseRun) encode(ctx context.Context) (*sched.Partial, error) {
	if err := l.r.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer l.r.slots.Release(1)
	f := l.folds[0]
	for _, other := range l.folds[1:] {
		if err := absorb(f, other, l.r.opts.TempDir); err != nil {
			return nil, err
		}
	}
	return l.r.keepFold(f.Encode)
}

func (l *leaseRun) closeFolds() {
	for _, f := range l.folds {
		f.Close()
	}
}

var errPanic = errors.New("the function panicked")
