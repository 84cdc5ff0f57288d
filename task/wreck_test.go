package task_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// A wreck is a task of a random tree in which everything goes wrong.
type wreck struct {
	kids     []*wreck
	later    []bool
	limit    int
	waits    int // before it acts
	deferred int // waits in a deferred function
	act      int // see node
	catches  bool
	shield   bool
}

func randomWreck(r *rand.Rand, depth int) *wreck {
	w := &wreck{waits: r.IntN(3), deferred: r.IntN(3), act: r.IntN(24), catches: r.IntN(3) == 0, shield: r.IntN(8) == 0}
	if r.IntN(3) == 0 {
		w.limit = 1 + r.IntN(3)
	}
	if depth > 0 {
		for range r.IntN(5) {
			w.kids = append(w.kids, randomWreck(r, depth-1))
			w.later = append(w.later, r.IntN(4) == 0)
		}
	}
	return w
}

// node runs the wreck; live counts the tasks of the group around it.
func (w *wreck) node(t *testing.T, ctx context.Context, live *atomic.Int64) error {
	live.Add(1)
	defer live.Add(-1)
	defer func() {
		for range w.deferred {
			_ = loop.Yield(ctx)
		}
	}()
	if w.catches {
		defer func() { _ = recover() }()
	}
	if w.shield {
		ctx = context.WithoutCancel(ctx)
	}
	for range w.waits {
		_ = loop.Sleep(ctx, time.Microsecond)
	}
	switch w.act {
	case 0:
		return errBoom
	case 1:
		panic(errBoom)
	case 2:
		runtime.Goexit()
	case 3:
		return loop.Sleep(ctx, 50*time.Microsecond)
	}
	return w.group(t, ctx)
}

func (w *wreck) group(t *testing.T, ctx context.Context) error {
	var live atomic.Int64
	defer func() { // also when Run unwinds
		if n := live.Load(); n != 0 {
			t.Errorf("%d tasks live when Run is over", n)
		}
	}()
	return task.Run(ctx, &task.Options{Limit: w.limit}, func(g *task.Group) error {
		for i, kid := range w.kids {
			start := g.Go
			if w.later[i] {
				start = g.GoLater
			}
			start("", func(ctx context.Context) error { return kid.node(t, ctx, &live) })
		}
		switch w.act {
		case 4:
			return errBoom
		case 5:
			panic(errBoom)
		case 6:
			runtime.Goexit()
		case 7:
			return loop.Yield(ctx)
		}
		return nil
	})
}

// Whatever fails, panics or exits, waiting in deferred functions or not, Run
// is only over when all tasks are, and no coroutine is left.
func TestRandomWrecks(t *testing.T) {
	seed := *treeSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	runs := *treeRuns
	if testing.Short() {
		runs = min(runs, 300)
	}
	for i := range uint64(runs) {
		root := randomWreck(rand.New(rand.NewPCG(seed+i, 2)), 3)
		for _, m := range models {
			done := make(chan struct{})
			go func() { // may be ended by a Goexit
				defer close(done)
				_ = m.run(t, func(ctx context.Context) error {
					if l := loop.From(ctx); l != nil {
						defer func() {
							if list := l.Coroutines(); len(list) != 1 {
								t.Errorf("coroutines left: %q", list)
							}
						}()
					}
					defer func() {
						var p *task.PanicError
						if err, _ := recover().(error); err != nil && !errors.As(err, &p) && err != errBoom {
							t.Errorf("recovered %v", err)
						}
					}()
					return root.group(t, ctx)
				})
			}()
			<-done
			if t.Failed() {
				t.Fatalf("%s: -task.seed=%d -task.trees=1", m.name, seed+i)
			}
		}
	}
}
