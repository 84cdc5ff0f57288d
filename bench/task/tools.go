package main

import (
	"context"
	"runtime"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/sourcegraph/conc"
	"golang.org/x/sync/errgroup"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// A tool runs groups of tasks.
type tool struct {
	name string
	// group runs tasks at once and waits for them. They come in two forms, so
	// that no tool has to wrap them.
	group func(ctx context.Context, tasks *tasks) error
	// wait lets others run once.
	wait func(ctx context.Context) error
	// onLoop says that all of it happens on a coroutine of a loop.
	onLoop bool
}

// tasks are the same functions with a context, and without for tools that
// give none.
type tasks struct {
	withContext []func(ctx context.Context) error
	plain       []func() error
	void        []func()
}

func newTasks(ctx context.Context, n int, do func(ctx context.Context, i int) error) *tasks {
	t := &tasks{
		withContext: make([]func(context.Context) error, n),
		plain:       make([]func() error, n),
		void:        make([]func(), n),
	}
	for i := range n {
		t.withContext[i] = func(ctx context.Context) error { return do(ctx, i) }
		t.plain[i] = func() error { return do(ctx, i) }
		t.void[i] = func() { _ = do(ctx, i) }
	}
	return t
}

func gosched(context.Context) error { runtime.Gosched(); return nil }

func leat(opts *task.Options) func(context.Context, *tasks) error {
	return func(ctx context.Context, t *tasks) error {
		return task.Run(ctx, opts, func(g *task.Group) error {
			for _, fn := range t.withContext {
				g.Go("", fn)
			}
			return nil
		})
	}
}

var tools = []tool{
	{name: "leat, on a loop", group: leat(nil), wait: loop.Yield, onLoop: true},
	{name: "leat, on a loop, scheduled start", group: leat(&task.Options{Later: true}), wait: loop.Yield, onLoop: true},
	{name: "leat, goroutines", group: leat(nil), wait: gosched},
	{name: "errgroup", wait: gosched, group: func(_ context.Context, t *tasks) error {
		var g errgroup.Group
		for _, fn := range t.plain {
			g.Go(fn)
		}
		return g.Wait()
	}},
	{name: "errgroup with context", wait: gosched, group: func(ctx context.Context, t *tasks) error {
		g, _ := errgroup.WithContext(ctx)
		for _, fn := range t.plain {
			g.Go(fn)
		}
		return g.Wait()
	}},
	{name: "conc", wait: gosched, group: func(_ context.Context, t *tasks) error {
		var g conc.WaitGroup
		for _, fn := range t.void {
			g.Go(fn)
		}
		g.Wait()
		return nil
	}},
	{name: "pond", wait: gosched, group: func(_ context.Context, t *tasks) error {
		g := unbounded.NewGroup()
		for _, fn := range t.plain {
			g.SubmitErr(fn)
		}
		return g.Wait()
	}},
	{name: "sync.WaitGroup", wait: gosched, group: func(_ context.Context, t *tasks) error {
		var g sync.WaitGroup
		for _, fn := range t.void {
			g.Go(fn)
		}
		g.Wait()
		return nil
	}},
}

// unbounded is for pond: a bounded pool hangs when groups nest.
var unbounded = pond.NewPool(0)

// A workload is what is measured.
type workload struct {
	name  string
	tasks int // how many a run has
	// prepare returns a run. Making the tasks themselves is no part of it.
	prepare func(ctx context.Context, t *tool) (run func() error)
}

// flat is a group of 1,000 tasks of which percent do not wait.
func flat(name string, percent int) workload {
	return workload{name, 1000, func(ctx context.Context, t *tool) func() error {
		list := newTasks(ctx, 1000, func(ctx context.Context, i int) error {
			if i%100 >= percent {
				return t.wait(ctx)
			}
			return nil
		})
		return func() error { return t.group(ctx, list) }
	}}
}

// tree is a group of six tasks, each of which is a group of six, and so on;
// percent of the leaves do not wait.
func tree(name string, levels, percent int) workload {
	count := 0
	for n, level := 6, 0; level < levels; level++ {
		count += n
		n *= 6
	}
	return workload{name, count, func(ctx context.Context, t *tool) func() error {
		leaf := 0
		list := grow(ctx, t, levels, func() bool { leaf++; return leaf%100 >= percent })
		return func() error { return t.group(ctx, list) }
	}}
}

// grow makes the tasks of a tree; waits tells for each leaf whether it does.
func grow(ctx context.Context, t *tool, levels int, waits func() bool) *tasks {
	kids := make([]*tasks, 6)
	wait := make([]bool, 6)
	for i := range kids {
		if levels > 1 {
			kids[i] = grow(ctx, t, levels-1, waits)
		} else {
			wait[i] = waits()
		}
	}
	return newTasks(ctx, 6, func(ctx context.Context, i int) error {
		switch {
		case kids[i] != nil:
			return t.group(ctx, kids[i])
		case wait[i]:
			return t.wait(ctx)
		}
		return nil
	})
}

var workloads = []workload{
	flat("flat group of 1,000, nothing waits", 100),
	flat("flat group of 1,000, 30 % wait", 70),
	flat("flat group of 1,000, all wait", 0),
	tree("tree of 6 levels of 6, nothing waits", 6, 100),
	tree("tree of 6 levels of 6, 30 % of the leaves wait", 6, 70),
}

// within calls fn where the tool's groups are at home.
func within(t *tool, fn func(ctx context.Context) error) error {
	if !t.onLoop {
		return fn(context.Background())
	}
	var err error
	l := loop.New(nil)
	l.Go(loop.Normal, "", func(ctx context.Context) error {
		defer l.Stop()
		err = fn(ctx)
		return nil
	})
	if err := l.Run(context.Background()); err != nil {
		return err
	}
	return err
}
