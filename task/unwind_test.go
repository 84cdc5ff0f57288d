package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// A position is a place where a task can run.
type position struct {
	name string
	run  func(ctx context.Context, fn func(ctx context.Context) error, others *atomic.Int64) error
}

// The other tasks of each group wait for its end, so that Run has to end
// them.
func positions() []position {
	wait := func(n *atomic.Int64) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			n.Add(1)
			defer n.Add(-1)
			return loop.Sleep(ctx, time.Hour)
		}
	}
	group := func(limit int, start func(g *task.Group, fn func(context.Context) error)) func(context.Context, func(context.Context) error, *atomic.Int64) error {
		return func(ctx context.Context, fn func(context.Context) error, n *atomic.Int64) error {
			return task.Run(ctx, &task.Options{Name: "g", Limit: limit}, func(g *task.Group) error {
				g.GoLater("other", wait(n))
				start(g, fn)
				return nil
			})
		}
	}
	return []position{
		{"helper", group(0, func(g *task.Group, fn func(context.Context) error) { g.GoLater("x", fn) })},
		{"helper, limited", group(2, func(g *task.Group, fn func(context.Context) error) { g.GoLater("x", fn) })},
		{"joiner or helper", group(0, func(g *task.Group, fn func(context.Context) error) { g.Go("x", fn) })},
		{"inside Go", group(2, func(g *task.Group, fn func(context.Context) error) {
			g.Go("flood", func(context.Context) error { // the only free slot is its own
				for range 2000 {
					g.Go("x", fn)
				}
				return nil
			})
		})},
	}
}

//go:noinline
func explode(context.Context) error { panic(errBoom) }

func TestPanic(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		for _, procs := range []int{1, 2} { // with one, the joiner gets to it first
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for _, pos := range positions() {
				_ = m.run(t, func(ctx context.Context) error { panicAt(t, ctx, pos); return nil })
			}
		}
	})
}

func panicAt(t *testing.T, ctx context.Context, pos position) {
	var others atomic.Int64
	defer func() {
		p, ok := recover().(*task.PanicError)
		if !ok || !errors.Is(p, errBoom) || p.Path != "g > x" {
			t.Errorf("%s: recovered %v", pos.name, p)
			return
		}
		for _, want := range []string{"boom", "explode", "unwind_test.go"} {
			if !strings.Contains(p.Error(), want) {
				t.Errorf("%s: message without %s:\n%s", pos.name, want, p)
			}
		}
		if n := others.Load(); n != 0 {
			t.Errorf("%s: %d tasks left", pos.name, n)
		}
	}()
	err := pos.run(ctx, explode, &others)
	t.Errorf("%s: Run returned %v", pos.name, err)
}

// Goexit either ends the task's helper, and then Run returns the error, or
// the caller of Run, who ran the task; in both cases the others have ended.
func TestGoexit(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		for _, procs := range []int{1, 2} {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for _, pos := range positions() {
				goexitAt(t, m, pos)
			}
		}
	})
}

func goexitAt(t *testing.T, m model, pos position) {
	var others atomic.Int64
	returned, err := false, error(nil)
	done := make(chan struct{})
	go func() { // ends here
		defer close(done)
		_ = m.run(t, func(ctx context.Context) error {
			err = pos.run(ctx, func(context.Context) error {
				runtime.Goexit()
				return nil
			}, &others)
			returned = true
			return nil
		})
	}()
	<-done
	if n := others.Load(); n != 0 {
		t.Errorf("%s: %d tasks left", pos.name, n)
	}
	if returned {
		e, ok := err.(task.Errors)
		if !ok || !errors.Is(err, task.ErrGoexit) || !strings.Contains(string(e[0].Stack), "Goexit") {
			t.Errorf("%s: error %v", pos.name, err)
		}
	}
}

func TestGoexitOfAHelperIsReported(t *testing.T) {
	err := task.Run(t.Context(), &task.Options{Limit: 1}, func(g *task.Group) error {
		g.GoLater("x", func(context.Context) error { runtime.Goexit(); return nil })
		return nil
	})
	if !errors.Is(err, task.ErrGoexit) {
		t.Errorf("error %v", err)
	}
}

func TestPanicOfNestedGroupKeepsItsStack(t *testing.T) {
	defer func() {
		p, ok := recover().(*task.PanicError)
		if !ok || p.Path != "outer > inner" || !strings.Contains(string(p.Stack), "explode") {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = task.Run(t.Context(), nil, func(g *task.Group) error {
		g.Go("outer", func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.GoLater("inner", explode)
				return nil
			})
		})
		return nil
	})
}

func TestBodyPanicsAndExits(t *testing.T) {
	for _, unwind := range []func(){func() { panic(errBoom) }, runtime.Goexit} {
		var ended atomic.Bool
		var got any
		done := make(chan struct{})
		go func() { // ends here
			defer close(done)
			defer func() { got = recover() }()
			_ = task.Run(context.Background(), nil, func(g *task.Group) error {
				begun := make(chan struct{})
				g.GoLater("", func(ctx context.Context) error {
					close(begun)
					<-ctx.Done()
					ended.Store(true)
					return nil
				})
				<-begun
				unwind()
				return nil
			})
			t.Error("Run returned")
		}()
		<-done
		if !ended.Load() {
			t.Error("a task was left behind")
		}
		if got != nil && got != any(errBoom) {
			t.Errorf("recovered %v", got)
		}
	}
}

// Neither panic is lost when a task and the body panic.
func TestBodyAndTaskPanic(t *testing.T) {
	defer func() {
		p, ok := recover().(*task.PanicError) // raised last, on top of the body's
		if !ok || p.Value != any(errBoom) {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = task.Run(t.Context(), nil, func(g *task.Group) error {
		g.GoLater("", explode)
		<-g.Context().Done()
		panic("body")
	})
}

func TestErrorTexts(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBoom)
	for _, tc := range []struct {
		err  error
		want string
	}{
		{task.NewBudget(1).Acquire(ctx, 1), "context canceled (boom)"},
		{&task.TaskError{Err: errBoom}, "boom"},
		{&task.TaskError{Path: "a > b", Err: errBoom}, "a > b: boom"},
		{task.Errors{{Path: "a", Err: task.Errors{{Path: "a > b", Err: errBoom}}}}, "a > b: boom"},
		{task.Errors{{Err: errBoom}, {Err: errBoom}, {Err: errBoom}, {Err: errBoom}, {Err: errBoom}}, "boom; boom; boom; and 2 more errors"},
	} {
		if tc.err.Error() != tc.want {
			t.Errorf("got %q, want %q", tc.err, tc.want)
		}
	}
}
