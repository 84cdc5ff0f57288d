package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func Benchmark(b *testing.B) {
	for _, w := range workloads {
		for i := range tools {
			b.Run(w.name+"/"+tools[i].name, func(b *testing.B) {
				b.ReportAllocs()
				err := within(&tools[i], func(ctx context.Context) error {
					run := w.prepare(ctx, &tools[i])
					for b.Loop() {
						if err := run(); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*w.tasks), "ns/task")
			})
		}
	}
}

// Every tool runs every task.
func TestToolsRunAllTasks(t *testing.T) {
	for _, tool := range tools {
		var ran atomic.Int64
		wait := tool.wait
		tool.wait = func(ctx context.Context) error {
			ran.Add(1)
			return wait(ctx)
		}
		err := within(&tool, func(ctx context.Context) error {
			return errors.Join(flat("", 0).prepare(ctx, &tool)(), tree("", 3, 0).prepare(ctx, &tool)())
		})
		if err != nil || ran.Load() != 1000+216 {
			t.Errorf("%s ran %d of 1,216 tasks, error %v", tool.name, ran.Load(), err)
		}
	}
}
