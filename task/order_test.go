package task_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// The tasks of a random tree, run on a loop by package task, are compared
// with a plain model in which each task has a coroutine of its own from its
// first instruction on: every event must come at the same place.

// A plant is a task of such a tree: its kids, with waits before, between
// starting them, and after they have ended.
type plant struct {
	id     int
	name   string
	before []int // waits, see doWait
	kids   []*plant
	gaps   [][]int // waits in the body before each kid is started
	later  []bool  // the kid is started by GoLater
	limit  int
	after  []int
}

func randomPlant(r *rand.Rand, depth int, count *int) *plant {
	*count++
	p := &plant{id: *count, name: strconv.Itoa(*count), before: randomWaits(r), after: randomWaits(r)}
	if r.IntN(3) == 0 {
		p.limit = 1 + r.IntN(3)
	}
	if depth == 0 {
		return p
	}
	for range r.IntN(5) {
		p.kids = append(p.kids, randomPlant(r, depth-1, count))
		var gap []int
		if r.IntN(6) == 0 {
			gap = []int{3} // the model can tell when this one begins
		}
		p.gaps = append(p.gaps, gap)
		p.later = append(p.later, r.IntN(6) == 0)
	}
	return p
}

func randomWaits(r *rand.Rand) []int {
	if r.IntN(2) == 0 {
		return nil
	}
	w := make([]int, 1+r.IntN(2))
	for i := range w {
		w[i] = r.IntN(4)
	}
	return w
}

// A growth is one run of a tree.
type growth struct {
	l      *loop.Loop
	events trace
	shares *task.Budget
	doors  []func() // who waits for somebody to open
}

// wait is one wait, of which some do not take place; begun is called when it
// does, if it is of kind 3.
func (g *growth) wait(ctx context.Context, kind int, begun func()) {
	switch kind {
	case 0, 1:
		_ = loop.Yield(ctx)
	case 2:
		_ = g.shares.Acquire(ctx, 1)
		_ = loop.Yield(ctx)
		g.shares.Release(1)
	case 3: // every second one waits for the next, which does not wait
		_ = g.l.Suspend(ctx, func(wake func()) {
			if len(g.doors) > 0 {
				g.l.Post(loop.Normal, g.doors[0]) // which parks before
				g.doors = g.doors[1:]
				wake()
				return
			}
			g.doors = append(g.doors, wake)
			g.l.Post(loop.Idle, wake) // the last one has no next
			begun()
		})
	}
}

func (g *growth) waits(ctx context.Context, p *plant, place string, kinds []int) {
	g.events.add("%d %s", p.id, place)
	for i, kind := range kinds {
		g.wait(ctx, kind, func() {})
		g.events.add("%d %s %d", p.id, place, i)
	}
}

// run runs the plant as a task whose group is one of package task.
func (g *growth) run(ctx context.Context, p *plant, path string) error {
	check := func(ctx context.Context, place string) {
		if got := task.Path(ctx); got != path {
			g.events.add("%d %s: path %q, want %q", p.id, place, got, path)
		}
		if got := g.l.Current(); got != path {
			g.events.add("%d %s: current %q, want %q", p.id, place, got, path)
		}
	}
	check(ctx, "start")
	g.waits(ctx, p, "before", p.before)
	check(ctx, "before")
	err := task.Run(ctx, &task.Options{Limit: p.limit}, func(tg *task.Group) error {
		for i, kid := range p.kids {
			g.waits(ctx, p, "gap", p.gaps[i])
			start := tg.Go
			if p.later[i] {
				start = tg.GoLater
			}
			start(kid.name, func(ctx context.Context) error { return g.run(ctx, kid, path+" > "+kid.name) })
		}
		return nil
	})
	check(ctx, "joined")
	g.waits(ctx, p, "after", p.after)
	check(ctx, "end")
	return err
}

// model runs the plant with a coroutine for each task.
func (g *growth) model(ctx context.Context, p *plant) {
	g.waits(ctx, p, "before", p.before)
	var (
		pending []*plant
		running int
		left    = len(p.kids)
		wake    func()
		due     []*plant
		next    func()
	)
	start := func(kid *plant) {
		running++
		g.l.Go(loop.Normal, "", func(ctx context.Context) error {
			g.model(ctx, kid)
			running--
			left--
			if left == 0 && wake != nil {
				wake()
			}
			next()
			return nil
		})
	}
	full := func() bool { return p.limit > 0 && running >= p.limit }
	// next starts what waits for a slot; those of GoLater last.
	next = func() {
		for !full() && len(due)+len(pending) > 0 {
			list := &pending
			if len(pending) == 0 {
				list = &due
			}
			kid := (*list)[0]
			*list = (*list)[1:]
			start(kid)
		}
	}
	for i, kid := range p.kids {
		g.events.add("%d gap", p.id)
		for k, kind := range p.gaps[i] {
			g.wait(ctx, kind, next) // a body that waits lets its tasks begin
			g.events.add("%d gap %d", p.id, k)
		}
		if p.later[i] {
			g.l.Post(loop.Normal, func() { due = append(due, kid); next() })
		} else {
			pending = append(pending, kid)
		}
	}
	next()
	if left > 0 {
		_ = g.l.Suspend(ctx, func(w func()) { wake = w })
	}
	g.waits(ctx, p, "after", p.after)
}

func grow(t *testing.T, fn func(g *growth, ctx context.Context)) trace {
	t.Helper()
	g := &growth{l: loop.New(&loop.Options{Budget: -1}), shares: task.NewBudget(2)}
	g.l.Go(loop.Normal, "root", func(ctx context.Context) error {
		defer g.l.Stop()
		fn(g, ctx)
		return nil
	})
	if err := g.l.Run(t.Context()); err != nil {
		t.Error(err)
	}
	return g.events
}

func TestOrderIsThatOfOneCoroutineATask(t *testing.T) {
	seed := *treeSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	runs := uint64(max(3000, *treeRuns))
	if *treeRuns == 1 || testing.Short() {
		runs = uint64(min(300, *treeRuns))
	}
	events := 0
	for i := range runs {
		count := 0
		p := randomPlant(rand.New(rand.NewPCG(seed+i, 1)), 4, &count)
		want := grow(t, func(g *growth, ctx context.Context) { g.model(ctx, p) })
		got := grow(t, func(g *growth, ctx context.Context) {
			if err := g.run(ctx, p, "root"); err != nil {
				t.Error(err)
			}
		})
		events += len(want)
		if !slices.Equal(got, want) || t.Failed() {
			n := 0
			for n < min(len(got), len(want)) && got[n] == want[n] {
				n++
			}
			t.Fatalf("-task.seed=%d -task.trees=1: event %d of %d differs:\n got %q\nwant %q", seed+i, n, len(want),
				got[max(0, n-8):min(len(got), n+4)], want[max(0, n-8):min(len(want), n+4)])
		}
	}
	t.Logf("%d trees from seed %d, %d events", runs, seed, events)
}

// trace collects events in order.
type trace []string

func (e *trace) add(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }
