package task

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
	"sync/atomic"
)

var profiling atomic.Bool

// Profile turns labels on or off for tasks that begin from now on: their
// goroutines have the pprof labels "task", the path, and "spawned", the line
// that started them, which profiles and goroutine dumps show. While
// [runtime/trace] is enabled as well, each task is a task of the trace. That
// costs about a microsecond a task; it is off by default.
func Profile(on bool) { profiling.Store(on) }

// profiled returns fn with labels around it; its context is a task's.
func profiled(fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return callProfiled(ctx.(*record), fn) }
}

func callProfiled(r *record, fn func(context.Context) error) error {
	pprof.SetGoroutineLabels(labelled(r))
	defer pprof.SetGoroutineLabels(labelled(r.g.above)) // the joiner goes on with its own task
	if !trace.IsEnabled() {
		return fn(r)
	}
	name := r.name
	if name == "" {
		name = "task"
	}
	ctx, t := trace.NewTask(r, name)
	defer t.End()
	defer trace.StartRegion(ctx, name).End()
	return fn(r)
}

// labelled returns a context with the labels of r, which may be nil.
func labelled(r *record) context.Context {
	if r == nil {
		return context.Background()
	}
	return pprof.WithLabels(context.Background(), pprof.Labels("task", r.path(), "spawned", r.spawned()))
}
