package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// untilCancelled waits for the end of ctx in both models.
func untilCancelled(ctx context.Context) error {
	never := task.NewBudget(1)
	_ = never.TryAcquire(1)
	return never.Acquire(ctx, 1)
}

// inModel runs fn in a model and fails the test with its error.
func inModel(t *testing.T, m model, fn func(ctx context.Context) error) {
	t.Helper()
	if err := m.run(t, fn); err != nil {
		t.Error(err)
	}
}

func TestKeepGoing(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			ran := 0
			err := task.Run(ctx, &task.Options{KeepGoing: true, Limit: 1}, func(g *task.Group) error {
				for i := range 5 {
					g.Go(fmt.Sprint(i), func(ctx context.Context) error {
						ran++
						if i%2 == 0 {
							return errBoom
						}
						return ctx.Err()
					})
				}
				return nil
			})
			var errs task.Errors
			if !errors.As(err, &errs) || len(errs) != 3 || errs[0].Name != "0" || errs[2].Name != "4" || ran != 5 {
				t.Errorf("%d ran, %v", ran, err)
			}
			return nil
		})
	})
}

func TestCollect(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			got, err := task.Collect(ctx, &task.Options{KeepGoing: true}, func(ts *task.Tasks[int]) error {
				for i := range 6 {
					fn := func(ctx context.Context) (int, error) {
						if i == 3 {
							return 0, errBoom
						}
						return i, loop.Yield(ctx)
					}
					if name := string(rune('a' + i)); i%2 == 1 {
						ts.GoLater(name, fn)
					} else {
						ts.Go(name, fn)
					}
				}
				return nil
			})
			var errs task.Errors
			if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Name != "d" || !strings.Contains(errs[0].Spawned, "kinds_test.go") {
				t.Errorf("errors: %+v", err)
			}
			want := []task.Result[int]{{"a", 0}, {"b", 1}, {"c", 2}, {"e", 4}, {"f", 5}}
			if !slices.Equal(got, want) {
				t.Errorf("got %v", got)
			}
			return nil
		})
	})
}

func TestRace(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			var ended atomic.Int64
			won, err := task.Race(ctx, nil, func(ts *task.Tasks[string]) error {
				for i := range 3 {
					ts.Go("", func(ctx context.Context) (string, error) {
						defer ended.Add(1)
						return "", untilCancelled(ctx)
					})
					ts.Go("", func(context.Context) (string, error) { return "", fmt.Errorf("no %d", i) })
				}
				ts.Go("winner", func(ctx context.Context) (string, error) { return "w", loop.Yield(ctx) })
				return nil
			})
			if err != nil || won.Name != "winner" || won.Value != "w" || ended.Load() != 3 {
				t.Errorf("%+v, %v, %d losers ended", won, err, ended.Load())
			}
			return nil
		})
	})
}

// A value that comes too late is discarded.
func TestRaceDiscards(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			var discarded atomic.Int64
			opts := &task.RaceOptions[int64]{Discard: func(v int64) { discarded.Add(v) }}
			won, err := task.Race(ctx, opts, func(ts *task.Tasks[int64]) error {
				for i := range int64(3) {
					ts.GoLater("", func(ctx context.Context) (int64, error) {
						if i > 0 {
							_ = untilCancelled(ctx)
						}
						return 10 + i, nil
					})
				}
				return untilCancelled(ts.Context()) // all have begun before one wins
			})
			if err != nil || won.Value+discarded.Load() > 10+11+12 || won.Value != 10 {
				t.Errorf("%+v, %v, discarded %d", won, err, discarded.Load())
			}
			return nil
		})
	})
}

// A value that comes in spite of a cancellation from outside counts.
func TestRaceValueAfterCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			won, err := task.Race(ctx, nil, func(ts *task.Tasks[int]) error {
				ts.Go("late", func(ctx context.Context) (int, error) {
					cancel()
					_ = untilCancelled(ctx)
					return 5, nil
				})
				return nil
			})
			if err != nil || won.Value != 5 {
				t.Errorf("%+v, %v", won, err)
			}
			return nil
		})
	})
}

// A child that has ended before the next one exists wins or fails as any
// other; the body learns from its context that it can stop.
func TestRaceOneByOne(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			started := 0
			won, err := task.Race(ctx, nil, func(ts *task.Tasks[int]) error {
				for i := range 100 {
					ended := task.NewBudget(1)
					_ = ended.TryAcquire(1)
					ts.GoLater("", func(context.Context) (int, error) {
						defer ended.Release(1)
						if i < 2 {
							return 0, errBoom
						}
						return i, nil
					})
					started++
					if err := ended.Acquire(ts.Context(), 1); err != nil {
						return err
					}
					if ts.Context().Err() != nil {
						return nil
					}
				}
				return nil
			})
			if err != nil || won.Value != 2 || started > 4 {
				t.Errorf("%+v, %v, %d started", won, err, started)
			}
			return nil
		})
	})
}

func TestRaceLost(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			_, err := task.Race(ctx, &task.RaceOptions[int]{Name: "race"}, func(ts *task.Tasks[int]) error {
				ts.Go("a", func(context.Context) (int, error) { return 1, errBoom })
				ts.Go("b", func(ctx context.Context) (int, error) { return 1, errors.Join(loop.Yield(ctx), errBoom) })
				return nil
			})
			var errs task.Errors
			if !errors.As(err, &errs) || len(errs) != 2 || errs[1].Path != "race > b" {
				t.Errorf("all fail: %v", err)
			}
			if _, err := task.Race(ctx, nil, func(*task.Tasks[int]) error { return nil }); err == nil {
				t.Error("a race without tasks was won")
			}
			return nil
		})
	})
}

func TestAsCompleted(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			gates := task.NewBudget(10) // opened one after the other
			_ = gates.TryAcquire(10)
			var got []string
			for r, err := range task.AsCompleted(ctx, nil, func(ts *task.Tasks[int]) error {
				ts.GoLater("slow", func(ctx context.Context) (int, error) { return 1, gates.Acquire(ctx, 2) })
				ts.Go("fast", func(context.Context) (int, error) { return 2, nil })
				ts.GoLater("fails", func(ctx context.Context) (int, error) {
					_ = gates.Acquire(ctx, 1)
					return 0, errBoom
				})
				return nil
			}) {
				var e *task.TaskError
				if (err != nil) != (r.Name == "fails") || err != nil && (!errors.As(err, &e) || e.Name != "fails") {
					t.Errorf("%+v, %v", r, err)
				}
				got = append(got, r.Name)
				gates.Release(3)
			}
			slices.Sort(got[1:]) // the first gate may open both
			if want := []string{"fast", "fails", "slow"}; !slices.Equal(got, want) {
				t.Errorf("got %v", got)
			}
			return nil
		})
	})
}

func TestAsCompletedBreak(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			var ended atomic.Int64
			for r := range task.AsCompleted(ctx, nil, func(ts *task.Tasks[int]) error {
				for range 4 {
					ts.GoLater("", func(ctx context.Context) (int, error) {
						defer ended.Add(1)
						return 0, untilCancelled(ctx)
					})
				}
				ts.Go("first", func(context.Context) (int, error) {
					return 7, nil
				})
				return nil
			}) {
				if r.Name != "first" || r.Value != 7 {
					t.Errorf("%+v", r)
				}
				break
			}
			if n := ended.Load(); n > 4 {
				t.Errorf("%d tasks ended", n)
			}
			return nil
		})
	})
}

// What ends without a result ends the iteration: the failure of the body, a
// cancellation, Goexit.
func TestAsCompletedEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		for name, body := range map[string]func(cancel func()) func(ts *task.Tasks[int]) error{
			"body": func(func()) func(ts *task.Tasks[int]) error {
				return func(*task.Tasks[int]) error { return errBoom }
			},
			"cancel": func(cancel func()) func(ts *task.Tasks[int]) error {
				return func(ts *task.Tasks[int]) error {
					for range 3 {
						ts.GoLater("", func(ctx context.Context) (int, error) { cancel(); return 1, nil })
					}
					return nil
				}
			},
			"goexit": func(func()) func(ts *task.Tasks[int]) error {
				return func(ts *task.Tasks[int]) error {
					ts.GoLater("", func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
					return nil
				}
			},
		} {
			inModel(t, m, func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				var last error
				for _, err := range task.AsCompleted(ctx, &task.Options{Limit: 1}, body(cancel)) {
					last = err
				}
				want := map[string]error{"body": errBoom, "cancel": context.Canceled, "goexit": task.ErrGoexit}[name]
				if !errors.Is(last, want) {
					t.Errorf("%s: %v", name, last)
				}
				return nil
			})
		}
	})
}

func TestStart(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				stop := task.NewBudget(1)
				_ = stop.TryAcquire(1)
				port, err := task.Start(ctx, g, "server", func(ctx context.Context, started func(int)) error {
					if err := loop.Yield(ctx); err != nil {
						return err
					}
					started(80)
					started(81)
					return stop.Acquire(ctx, 1)
				})
				if err != nil || port != 80 {
					t.Errorf("%d, %v", port, err)
				}
				stop.Release(1)
				_, err = task.Start(ctx, g, "fails", func(context.Context, func(int)) error { return errBoom })
				if err != errBoom || g.Context().Err() != nil {
					t.Errorf("%v; group: %v", err, g.Context().Err())
				}
				_, err = task.Start(ctx, g, "silent", func(context.Context, func(int)) error { return nil })
				if err != task.ErrNotStarted {
					t.Errorf("silent: %v", err)
				}
				return nil
			})
		})
	})
}

// A failure after the task was ready is the group's.
func TestStartFailsLater(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			err := task.Run(ctx, nil, func(g *task.Group) error {
				_, err := task.Start(ctx, g, "x", func(_ context.Context, started func(int)) error {
					started(1)
					return errBoom
				})
				return err
			})
			var errs task.Errors
			if !errors.As(err, &errs) || errs[0].Name != "x" || !errors.Is(err, errBoom) {
				t.Errorf("%v", err)
			}
			return nil
		})
	})
}

// The starter's cancellation reaches a task that is not ready, and not one
// that is; a group that is cancelled lets the starter go.
func TestStartCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		inModel(t, m, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				mine, cancel := context.WithCancel(ctx)
				_, err := task.Start(mine, g, "x", func(ctx context.Context, _ func(int)) error {
					cancel()
					return untilCancelled(ctx)
				})
				if !errors.Is(err, context.Canceled) || g.Context().Err() != nil {
					t.Errorf("%v; group: %v", err, g.Context().Err())
				}
				return nil
			})
		})
		inModel(t, m, func(ctx context.Context) error {
			err := task.Run(ctx, &task.Options{Limit: 1}, func(g *task.Group) error {
				g.GoLater("", func(context.Context) error { return errBoom })
				_, err := task.Start(ctx, g, "never", func(ctx context.Context, _ func(int)) error { return untilCancelled(ctx) })
				if err == nil {
					t.Error("started in a group that was cancelled")
				}
				return nil
			})
			if !errors.Is(err, errBoom) {
				t.Errorf("%v", err)
			}
			return nil
		})
	})
}
