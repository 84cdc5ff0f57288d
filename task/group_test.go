package task_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

var errBoom = errors.New("boom")

func TestTasksThatWaitRunTogether(t *testing.T) {
	for _, tc := range []struct {
		limit, tasks int
		want         time.Duration
	}{{0, 10000, time.Second}, {10, 95, 10 * time.Second}, {1, 5, 5 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := task.Run(t.Context(), &task.Options{Limit: tc.limit}, func(g *task.Group) error {
				for range tc.tasks {
					g.Go("", func(context.Context) error { time.Sleep(time.Second); return nil })
				}
				return nil
			})
			if took := time.Since(start); err != nil || took != tc.want {
				t.Errorf("limit %d: took %v, want %v; error %v", tc.limit, took, tc.want, err)
			}
		})
	}
}

// A body that is still at work does not hold its tasks up.
func TestTasksStartBeforeTheBodyReturns(t *testing.T) {
	for _, limit := range []int{0, 1, 2} {
		err := task.Run(t.Context(), &task.Options{Limit: limit}, func(g *task.Group) error {
			a, b := make(chan int), make(chan int)
			g.Go("a", func(context.Context) error { a <- 1; return nil })
			<-a
			g.GoLater("b", func(context.Context) error { b <- 1; return nil })
			<-b
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// What is pending is bounded, and the limit holds, however many tasks a body
// starts.
func TestLongStream(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		for _, limit := range []int{0, 1, 4} {
			var begun, running, peak atomic.Int64
			pending := int64(0)
			err := task.Run(ctx, &task.Options{Limit: limit}, func(g *task.Group) error {
				for i := range int64(100_000) {
					g.Go("", func(ctx context.Context) error {
						begun.Add(1)
						for now := running.Add(1); ; {
							old := peak.Load()
							if now <= old || peak.CompareAndSwap(old, now) {
								break
							}
						}
						_ = loop.Yield(ctx)
						running.Add(-1)
						return nil
					})
					pending = max(pending, i+1-begun.Load())
				}
				return nil
			})
			if err != nil || begun.Load() != 100_000 {
				t.Errorf("limit %d: %d of 100,000 tasks ran, error %v", limit, begun.Load(), err)
			}
			// Claimed and not begun counts as pending here.
			if slack := int64(100); limit > 0 && pending > 1024+slack {
				t.Errorf("limit %d: %d tasks pending", limit, pending)
			}
			if limit > 0 && peak.Load() > int64(limit) {
				t.Errorf("limit %d: %d tasks at once", limit, peak.Load())
			}
		}
	})
}

// A task that starts more tasks in its own group than may be pending works on
// them instead of waiting for a slot that it holds itself.
func TestTaskFloodsItsOwnGroup(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		for _, limit := range []int{0, 1, 3} {
			for _, later := range []bool{false, true} {
				var ran atomic.Int64
				var flood func(g *task.Group, depth int) func(context.Context) error
				flood = func(g *task.Group, depth int) func(context.Context) error {
					return func(context.Context) error {
						ran.Add(1)
						for range []int{0, 3000, 3}[depth] {
							g.Go("", flood(g, depth-1))
						}
						return nil
					}
				}
				err := task.Run(ctx, &task.Options{Limit: limit}, func(g *task.Group) error {
					if later {
						g.GoLater("", flood(g, 2))
					} else {
						g.Go("", flood(g, 2))
					}
					return nil
				})
				if err != nil || ran.Load() != 1+3+9000 {
					t.Errorf("limit %d: %d tasks ran, error %v", limit, ran.Load(), err)
				}
			}
		}
	})
}

func TestNestedLimitsOfOne(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		var ran atomic.Int64
		var nest func(ctx context.Context, depth int) error
		nest = func(ctx context.Context, depth int) error {
			if ran.Add(1); depth == 0 {
				_ = loop.Yield(ctx)
				return nil
			}
			return task.Run(ctx, &task.Options{Limit: 1}, func(g *task.Group) error {
				for range 3 {
					g.Go("", func(ctx context.Context) error { return nest(ctx, depth-1) })
				}
				return nil
			})
		}
		if err := nest(ctx, 7); err != nil || ran.Load() != (6561-1)/2 {
			t.Errorf("%d tasks ran, error %v", ran.Load(), err)
		}
	})
}

func TestFirstFailureCancels(t *testing.T) {
	begun := make(chan struct{})
	var cause error
	err := task.Run(t.Context(), &task.Options{Name: "top", Limit: 2}, func(g *task.Group) error {
		g.GoLater("waits", func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		})
		<-begun
		g.GoLater("fails", func(context.Context) error { return errBoom })
		<-g.Context().Done()
		for range 10 {
			g.Go("never", func(context.Context) error { t.Error("a task began after the failure"); return nil })
		}
		return g.Context().Err()
	})
	var e *task.TaskError
	if !errors.As(cause, &e) || e.Path != "top > fails" || e.Err != errBoom {
		t.Errorf("cause %v", cause)
	}
	if errs := err.(task.Errors); len(errs) != 1 || errs[0] != e {
		t.Errorf("errors %v", errs)
	}
}

func TestErrorsAreInStartOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := task.Run(t.Context(), nil, func(g *task.Group) error {
			for i, name := range []string{"c", "b", "a"} {
				g.GoLater(name, func(context.Context) error {
					time.Sleep(time.Duration(3-i) * time.Second) // the last fails first
					return errBoom
				})
			}
			synctest.Wait()
			return errors.New("body")
		})
		if want := "body; c: boom; b: boom; and 1 more error"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if !strings.Contains(err.(task.Errors)[0].Spawned, "group_test.go:") {
			t.Errorf("the body's error is from %q", err.(task.Errors)[0].Spawned)
		}
	})
}

func TestCancelledFromOutside(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		for _, body := range []func(g *task.Group) error{
			func(g *task.Group) error {
				for range 10_000 {
					g.Go("x", func(context.Context) error { t.Error("began"); return nil })
				}
				return nil
			},
			func(g *task.Group) error { return g.Context().Err() },
			func(g *task.Group) error { return context.Cause(g.Context()) },
		} {
			ctx, cancel := context.WithCancelCause(ctx)
			why := &fs.PathError{Op: "open", Path: "p", Err: fs.ErrNotExist}
			cancel(why)
			err := task.Run(ctx, &task.Options{Name: "g"}, body)
			if errs, ok := err.(task.Errors); !ok || len(errs) != 1 || errs[0].Path != "g" {
				t.Fatalf("errors %v", err)
			}
			if !errors.Is(err, context.Canceled) || !errors.Is(err, error(why)) {
				t.Errorf("%v is not the cancellation", err)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Error("the reason of a cancellation reads as the answer")
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := task.Run(ctx, nil, func(*task.Group) error { return nil }); err != nil {
			t.Errorf("nothing was dropped, but error %v", err)
		}
	})
}

// A failure that comes joined with the cancellation is kept.
func TestFailureBesideCancellationIsKept(t *testing.T) {
	err := task.Run(t.Context(), nil, func(g *task.Group) error {
		g.GoLater("late", func(ctx context.Context) error {
			<-ctx.Done()
			return errors.Join(ctx.Err(), errBoom)
		})
		g.GoLater("first", func(context.Context) error { return fs.ErrExist })
		return nil
	})
	if !errors.Is(err, errBoom) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

func TestValueIgnoringCancellationCounts(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		got := 0
		err := task.Run(ctx, nil, func(g *task.Group) error {
			g.GoLater("", func(context.Context) error { cancel(); got = 42; return nil })
			return nil
		})
		if err != nil || got != 42 {
			t.Errorf("got %d, error %v", got, err)
		}
	})
}

func TestUseAfterRunPanics(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		var leaked *task.Group
		_ = task.Run(ctx, nil, func(g *task.Group) error { leaked = g; return nil })
		if leaked.Context().Err() == nil {
			t.Error("the context goes on after Run")
		}
		for _, f := range []func(){
			func() { leaked.Go("", func(context.Context) error { return nil }) },
			func() { leaked.GoLater("", nil) },
		} {
			func() {
				defer func() {
					if v, _ := recover().(string); !strings.HasPrefix(v, "task: Go called") {
						t.Errorf("recovered %v", v)
					}
				}()
				f()
			}()
		}
	})
}

func TestPathAndDetachOutsideOfTasks(t *testing.T) {
	task.Detach(t.Context())
	if p := task.Path(t.Context()); p != "" {
		t.Errorf("path %q", p)
	}
	_ = task.Run(t.Context(), &task.Options{Name: "g"}, func(g *task.Group) error {
		g.Go("x", func(context.Context) error { return nil })
		task.Detach(g.Context())
		if p := task.Path(context.WithValue(g.Context(), errBoom, 1)); p != "g" {
			t.Errorf("path %q", p)
		}
		return nil
	})
}
