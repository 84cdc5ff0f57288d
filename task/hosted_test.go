package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// Waiting for a budget parks the coroutine only, first come, first served.
func TestBudgetOnALoop(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) {
		if loop.From(ctx) == nil {
			return
		}
		b := task.NewBudget(2)
		var ev trace
		err := task.Run(ctx, nil, func(g *task.Group) error {
			for i, n := range []int64{2, 1, 2, 1} {
				g.Go("", func(ctx context.Context) error {
					if err := b.Acquire(ctx, n); err != nil {
						return err
					}
					ev.add("%d", i)
					defer b.Release(n)
					return loop.Sleep(ctx, time.Second)
				})
			}
			g.Go("", func(ctx context.Context) error {
				return task.Run(ctx, nil, func(g *task.Group) error {
					g.Go("", func(ctx context.Context) error {
						if err := b.Acquire(ctx, 1); !errors.Is(err, context.Canceled) {
							t.Errorf("cancelled while it waits: %v", err)
						}
						return nil
					})
					_ = loop.Yield(ctx)
					return errBoom
				})
			})
			g.Go("", func(ctx context.Context) error {
				if err := b.Acquire(ctx, 3); err == nil {
					t.Error("more than there is was granted")
				}
				return nil
			})
			return nil
		})
		if errs, ok := err.(task.Errors); !ok || len(errs) != 1 || b.InUse() != 0 {
			t.Errorf("error %v, %d in use", err, b.InUse())
		}
	})
}

// A task of the group may start others from a goroutine that it waits for.
func TestGoFromAnotherGoroutine(t *testing.T) {
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		n := 0
		err := task.Run(ctx, &task.Options{Limit: 2}, func(g *task.Group) error {
			for range 3 {
				g.Go("", func(ctx context.Context) error {
					_, err := loop.Await(ctx, func(context.Context) (int, error) {
						for range 10 {
							g.Go("", func(ctx context.Context) error { n++; return loop.Yield(ctx) })
							g.GoLater("", func(ctx context.Context) error { n++; return loop.Yield(ctx) })
						}
						return 0, nil
					})
					return err
				})
			}
			return nil
		})
		if n != 60 {
			t.Errorf("%d tasks ran", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A group on a goroutine beside the loop, whose context comes from a
// coroutine, is of the other model.
func TestGroupBesideTheLoop(t *testing.T) {
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		_, err := loop.Await(ctx, func(ctx context.Context) (int, error) {
			return 0, task.Run(ctx, &task.Options{Name: "g"}, func(g *task.Group) error {
				c := make(chan string)
				g.Go("a", func(ctx context.Context) error { c <- task.Path(ctx); return nil })
				if p := <-c; p != "g > a" {
					t.Errorf("path %q", p)
				}
				return nil
			})
		})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What a cancellation wakes comes in the order in which it began to wait,
// without a detour over other goroutines.
func TestCancellationIsInOrder(t *testing.T) {
	var ev trace
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		l := loop.From(ctx)
		return task.Run(ctx, nil, func(g *task.Group) error {
			for i := range 3 {
				g.Go("", func(ctx context.Context) error {
					return task.Run(ctx, nil, func(g *task.Group) error {
						for k := range 2 {
							g.Go("", func(ctx context.Context) error {
								err := loop.Sleep(ctx, time.Hour)
								ev.add("%d.%d", i, k)
								return err
							})
						}
						return nil
					})
				})
			}
			g.GoLater("", func(context.Context) error {
				l.Post(loop.Normal, func() { ev.add("post") })
				return errBoom
			})
			return nil
		})
	})
	if !errors.Is(err, errBoom) {
		t.Error(err)
	}
	ev.want(t, "post", "0.0", "0.1", "1.0", "1.1", "2.0", "2.1")
}

// A shielded wait goes on, all others below a cancelled group end.
func TestContextsBelowACancelledGroup(t *testing.T) {
	type key struct{}
	derive := map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"plain": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"value": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithValue(ctx, key{}, 1), func() {}
		},
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		},
		"cancel": context.WithCancel,
		"shield": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithoutCancel(ctx), func() {}
		},
	}
	onBoth(t, func(t *testing.T, m model) {
		for name, with := range derive {
			var inner error
			begun := make(chan int, 1)
			err := m.run(t, func(ctx context.Context) error {
				return task.Run(ctx, nil, func(g *task.Group) error {
					g.Go("waits", func(ctx context.Context) error {
						ctx, cancel := with(ctx)
						defer cancel()
						return task.Run(ctx, nil, func(g *task.Group) error {
							g.Go("", func(ctx context.Context) error {
								begun <- 1
								inner = loop.Sleep(ctx, time.Millisecond*map[bool]time.Duration{true: 1, false: 1e6}[name == "shield"])
								if ctx.Err() == nil != (name == "shield") {
									t.Errorf("%s: Err is %v", name, ctx.Err())
								}
								return nil
							})
							return nil
						})
					})
					g.GoLater("fails", func(ctx context.Context) error {
						_, _ = loop.Await(ctx, func(context.Context) (int, error) { return <-begun, nil })
						return errBoom
					})
					return nil
				})
			})
			if errs, ok := err.(task.Errors); !ok || !slices.ContainsFunc(errs, func(e *task.TaskError) bool { return e.Name == "fails" }) {
				t.Errorf("%s: error %v", name, err)
			}
			if errors.Is(inner, context.Canceled) == (name == "shield") || errors.Is(inner, errBoom) {
				t.Errorf("%s: the wait returned %v", name, inner)
			}
		}
	})
}

// A group under the context of a group that is over does nothing.
func TestGroupBelowAGroupThatIsOver(t *testing.T) {
	onBothHere(t, func(t *testing.T, ctx context.Context) {
		for _, watched := range []bool{false, true} {
			var group, child context.Context
			err := task.Run(ctx, nil, func(g *task.Group) error {
				group = g.Context()
				if watched {
					_ = group.Done()
				}
				g.Go("", func(ctx context.Context) error { child = ctx; return nil })
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for _, late := range []context.Context{group, child, context.WithValue(child, errBoom, 1)} {
				err := task.Run(late, nil, func(g *task.Group) error {
					g.Go("", func(context.Context) error { t.Error("a task began"); return nil })
					return nil
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("watched %v: error %v", watched, err)
				}
			}
		}
	})
}
