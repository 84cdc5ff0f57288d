package task_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// Each operation is a flat group of 1,000 tasks of which a share does not
// wait; the others yield the processor once. ns/task is what counts.
const flat = 1000

func work(i, syncPercent int) {
	if i%100 >= syncPercent {
		runtime.Gosched()
	}
}

func BenchmarkFlat(b *testing.B) {
	for _, percent := range []int{100, 70, 0} {
		fns := make([]func(context.Context) error, flat)
		for i := range fns {
			fns[i] = func(context.Context) error { work(i, percent); return nil }
		}
		b.Run("sync="+strconv.Itoa(percent), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				_ = task.Run(ctx, nil, func(g *task.Group) error {
					for _, fn := range fns {
						g.Go("", fn)
					}
					return nil
				})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flat, "ns/task")
		})
		b.Run("waitgroup/sync="+strconv.Itoa(percent), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				var wg sync.WaitGroup
				for _, fn := range fns {
					wg.Go(func() { _ = fn(ctx) })
				}
				wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flat, "ns/task")
		})
	}
}

// The same on a coroutine, where waiting is yielding to the loop.
func BenchmarkLoopFlat(b *testing.B) {
	for _, percent := range []int{100, 70, 0} {
		for _, later := range []bool{false, true} {
			fns := make([]func(context.Context) error, flat)
			for i := range fns {
				fns[i] = func(ctx context.Context) error {
					if i%100 >= percent {
						return loop.Yield(ctx)
					}
					return nil
				}
			}
			start := map[bool]string{false: "eager", true: "later"}[later]
			b.Run(start+"/sync="+strconv.Itoa(percent), func(b *testing.B) {
				b.ReportAllocs()
				_ = runOnLoop(b, nil, func(ctx context.Context) error {
					for b.Loop() {
						_ = task.Run(ctx, &task.Options{Later: later}, func(g *task.Group) error {
							for _, fn := range fns {
								g.Go("", fn)
							}
							return nil
						})
					}
					return nil
				})
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flat, "ns/task")
			})
		}
	}
}

// One item through Map when the function does nothing.
func BenchmarkMap(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for range task.Map(b.Context(), count(b.N, nil), nil, func(_ context.Context, i int) (int, error) { return i, nil }) {
		n++
	}
}

// A tree of groups of six, 1,555 tasks of which 1,296 are leaves that do not
// wait.
func BenchmarkTree(b *testing.B) {
	const depth, fan, tasks = 4, 6, 6 + 36 + 216 + 1296
	var grow func(ctx context.Context, depth int) error
	grow = func(ctx context.Context, depth int) error {
		if depth == 0 {
			return nil
		}
		return task.Run(ctx, nil, func(g *task.Group) error {
			kid := func(ctx context.Context) error { return grow(ctx, depth-1) }
			for range fan {
				g.Go("", kid)
			}
			return nil
		})
	}
	var plain func(ctx context.Context, depth int) error
	plain = func(ctx context.Context, depth int) error {
		if depth == 0 {
			return nil
		}
		var wg sync.WaitGroup
		for range fan {
			wg.Go(func() { _ = plain(ctx, depth-1) })
		}
		wg.Wait()
		return nil
	}
	onLoop := func(ctx context.Context, depth int) error { return grow(ctx, depth) }
	for name, f := range map[string]func(context.Context, int) error{"task": grow, "loop": onLoop, "waitgroup": plain} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			run := models[0].run
			if name == "loop" {
				run = models[1].run
			}
			_ = run(b, func(ctx context.Context) error {
				for b.Loop() {
					_ = f(ctx, depth)
				}
				return nil
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/tasks, "ns/task")
		})
	}
}
