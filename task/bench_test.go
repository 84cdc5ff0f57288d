package task_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"

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

// One item through Map when the function does nothing.
func BenchmarkMap(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for range task.Map(b.Context(), count(b.N, nil), nil, func(_ context.Context, i int) (int, error) { return i, nil }) {
		n++
	}
}
