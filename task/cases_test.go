package task_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// What eager tasks have got wrong elsewhere, one case each, in both models.
// The numbers are those of the list of cases in the notes on CPython's eager
// tasks; 14 and 30 are one case, 29 does not exist.

// turns returns how many callbacks the loop of ctx has run, or 0.
func turns(ctx context.Context) uint64 {
	if l := loop.From(ctx); l != nil {
		return l.Stats().Run
	}
	return 0
}

func TestCase01EndsWithoutWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		collected := make(chan bool)
		var kept context.Context
		err := m.run(t, func(ctx context.Context) error {
			before := turns(ctx)
			err := task.Run(ctx, nil, func(g *task.Group) error {
				big := new([1 << 16]byte)
				runtime.AddCleanup(big, func(c chan bool) { close(c) }, collected)
				g.Go("x", func(ctx context.Context) error { kept, big[0] = ctx, 1; return nil })
				return nil
			})
			if n := turns(ctx) - before; n != 0 {
				t.Errorf("%d turns of the loop", n)
			}
			return err
		})
		if err != nil || task.Path(kept) != "x" {
			t.Errorf("error %v, path %q", err, task.Path(kept))
		}
		for done := false; !done; {
			runtime.GC() // hangs if the context keeps the function
			select {
			case <-collected:
				done = true
			default:
				runtime.Gosched()
			}
		}
		runtime.KeepAlive(kept)
	})
}

func TestCase02ErrorIsKeptNotRaisedAtTheStart(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		reached := false
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				for range 3000 { // more than may be pending
					g.Go("x", func(context.Context) error { return errBoom })
				}
				reached = true
				return nil
			})
		})
		if !reached || !errors.Is(err, errBoom) {
			t.Errorf("reached %v, error %v", reached, err)
		}
	})
}

func TestCase03ErrorWithoutOwnerIsToldAtOnce(t *testing.T) {
	var told error
	err := runOnLoop(t, &loop.Options{Failed: func(err error) { told = err }}, func(ctx context.Context) error {
		loop.From(ctx).Go(loop.Normal, "x", func(context.Context) error { return errBoom })
		if !errors.Is(told, errBoom) || !strings.Contains(told.(*task.TaskError).Spawned, "cases_test.go:") {
			t.Errorf("told %#v", told)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCase04PanicDoesNotUnwindTheStarter(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		reached := false
		_ = m.run(t, func(ctx context.Context) error {
			defer func() {
				p, ok := recover().(*task.PanicError)
				if !ok || p.Value != any(errBoom) || !strings.Contains(string(p.Stack), "explode") || p.Path != "x" {
					t.Errorf("recovered %v", p)
				}
			}()
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", explode)
				_ = loop.Yield(ctx)
				reached = true
				return nil
			})
		})
		if !reached {
			t.Error("the body was unwound")
		}
	})
}

func TestCase05GoexitFailsTheOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		deferred := 0
		done := make(chan error, 1)
		go func() { // may be ended by the Goexit
			err := errors.New("ended")
			defer func() { done <- err }()
			err = m.run(t, func(ctx context.Context) error {
				return task.Run(ctx, nil, func(g *task.Group) error {
					g.GoLater("other", func(ctx context.Context) error {
						defer func() { deferred++ }()
						return loop.Sleep(ctx, time.Hour)
					})
					_ = loop.Yield(ctx)
					g.Go("x", func(context.Context) error { runtime.Goexit(); return nil })
					return nil
				})
			})
		}()
		err := <-done
		if err == nil || m.name == "loop" && !errors.Is(err, task.ErrGoexit) {
			t.Errorf("error %v", err)
		}
		if deferred > 1 || m.name == "loop" && deferred != 1 {
			t.Errorf("%d deferred functions ran", deferred)
		}
	})
}

func TestCase06CurrentTaskIsSwappedAndRestored(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		check := func(ctx context.Context, want string) {
			t.Helper()
			if got := task.Path(ctx); got != want {
				t.Errorf("path %q, want %q", got, want)
			}
			if l := loop.From(ctx); l != nil && l.Current() != want {
				t.Errorf("current %q, want %q", l.Current(), want)
			}
		}
		var nest func(ctx context.Context, path string, depth int) error
		nest = func(ctx context.Context, path string, depth int) error {
			check(ctx, path)
			if depth == 0 {
				return errBoom
			}
			err := task.Run(ctx, nil, func(g *task.Group) error {
				for _, name := range []string{"a", "b"} {
					g.Go(name, func(ctx context.Context) error {
						return nest(ctx, strings.TrimPrefix(path+" > "+name, " > "), depth-1)
					})
				}
				check(ctx, path)
				return nil
			})
			check(ctx, path)
			func() {
				defer func() { _ = recover() }()
				_ = task.Run(ctx, nil, func(g *task.Group) error { g.Go("p", explode); return nil })
			}()
			check(ctx, path)
			return err
		}
		if err := m.run(t, func(ctx context.Context) error { return nest(ctx, "", 4) }); !errors.Is(err, errBoom) {
			t.Error(err)
		}
	})
}

func TestCase07TasksInTheirFirstStepAreListed(t *testing.T) {
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		l := loop.From(ctx)
		return task.Run(ctx, &task.Options{Name: "g"}, func(g *task.Group) error {
			g.Go("first", func(ctx context.Context) error { return loop.Yield(ctx) })
			g.Go("second", func(ctx context.Context) error {
				if got := l.Coroutines(); !slices.Equal(got, []string{"g > first", "g > second"}) {
					t.Errorf("in its first step: %q", got)
				}
				return loop.Yield(ctx)
			})
			g.GoLater("third", func(ctx context.Context) error {
				// The first has yielded on the stack of the body.
				if got := l.Coroutines(); !slices.Equal(got, []string{"g > first", "g > second", "g > third"}) {
					t.Errorf("after a wait: %q", got)
				}
				return nil
			})
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCase08CancelAfterTheEndChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			err := task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(context.Context) error { return nil })
				return nil
			})
			cancel()
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestCase09FirstStepRunsThenDeferredFunctions(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		begun, deferred := make(chan int, 1), false
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(ctx context.Context) error {
					defer func() { deferred = true }()
					begun <- 1
					return loop.Sleep(ctx, time.Hour)
				})
				_, _ = loop.Await(ctx, func(context.Context) (int, error) { return <-begun, nil })
				return errBoom
			})
		})
		if errs := err.(task.Errors); !deferred || len(errs) != 1 || errs[0].Err != errBoom {
			t.Errorf("deferred %v, error %v", deferred, err)
		}
	})
}

func TestCase10SelfCancelShowsAtTheFirstWait(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		var at error
		_ = m.run(t, func(ctx context.Context) error {
			ctx, cancel := context.WithCancelCause(ctx)
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(ctx context.Context) error {
					cancel(errBoom)
					at = loop.Sleep(ctx, time.Hour)
					return nil
				})
				return nil
			})
		})
		if !errors.Is(at, context.Canceled) || m.name == "loop" && !errors.Is(at, errBoom) {
			t.Errorf("the wait returned %v", at)
		}
	})
}

func TestCase11SelfCancelThenValue(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(context.Context) error { cancel(); return nil })
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestCase12ScopesOpenedInTheFirstStepAreTheChilds(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(ctx context.Context) error {
					ctx, cancel := context.WithCancelCause(ctx)
					defer cancel(nil)
					err := task.Run(ctx, nil, func(g *task.Group) error {
						g.Go("y", func(ctx context.Context) error {
							cancel(errBoom)
							return loop.Sleep(ctx, time.Hour)
						})
						return nil
					})
					if e, ok := err.(task.Errors); !ok || e[0].Path != "x" || !errors.Is(err, errBoom) {
						t.Errorf("inner error %#v", err)
					}
					return nil
				})
				g.Go("z", func(ctx context.Context) error { return loop.Yield(ctx) })
				return nil
			})
		})
		if err != nil {
			t.Errorf("the cancellation left its scope: %v", err)
		}
	})
}

func TestCase13ValuesOfAChildAreItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			ctx = context.WithValue(ctx, errBoom, "creator's")
			return task.Run(ctx, nil, func(g *task.Group) error {
				for range 2 {
					g.Go("", func(ctx context.Context) error {
						if ctx.Value(errBoom) != "creator's" {
							return errors.New("the value is missing or a sibling's")
						}
						ctx = context.WithValue(ctx, errBoom, "mine")
						return loop.Yield(ctx)
					})
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestCase14And30FailedStartLeavesNoTrace(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		ran := false
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, &task.Options{Name: "g"}, func(g *task.Group) error {
				func() {
					defer func() {
						if recover() == nil {
							t.Error("a nil function was started")
						}
					}()
					g.Go("nothing", nil)
				}()
				if l := loop.From(ctx); l != nil && l.Current() != "g" {
					t.Errorf("current %q", l.Current())
				}
				g.Go("x", func(ctx context.Context) error { ran = true; return loop.Yield(ctx) })
				return nil
			})
		})
		if err != nil || !ran {
			t.Errorf("ran %v, error %v", ran, err)
		}
	})
}

func TestCase15And16GroupsWithoutWaitsTakeNoTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		ran := make(chan int, 1000)
		var nest func(ctx context.Context, depth int) error
		nest = func(ctx context.Context, depth int) error {
			if depth == 0 {
				ran <- 1
				return nil
			}
			return task.Run(ctx, nil, func(g *task.Group) error {
				for range 5 {
					g.Go("", func(ctx context.Context) error { return nest(ctx, depth-1) })
				}
				return nil
			})
		}
		err := m.run(t, func(ctx context.Context) error {
			before := turns(ctx)
			err := nest(ctx, 4)
			if n := turns(ctx) - before; n != 0 {
				t.Errorf("%d turns of the loop", n)
			}
			return err
		})
		if err != nil || len(ran) != 625 {
			t.Errorf("%d ran, error %v", len(ran), err)
		}
	})
}

func TestCase17BodyLearnsOfAFailureAtItsNextWait(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		var at error
		err := m.run(t, func(ctx context.Context) error {
			defer func() {
				if ctx.Err() != nil {
					t.Error("the cancellation left its group")
				}
			}()
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("x", func(context.Context) error { return errBoom })
				at = loop.Sleep(g.Context(), time.Hour)
				return at
			})
		})
		if errs := err.(task.Errors); len(errs) != 1 || !errors.Is(err, errBoom) || !errors.Is(at, context.Canceled) {
			t.Errorf("the wait returned %v, Run %v", at, err)
		}
	})
}

func TestCase18FailureReachesAParentInItsFirstStep(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(outer *task.Group) error {
				outer.Go("sleeps", func(ctx context.Context) error { return loop.Sleep(ctx, time.Hour) })
				outer.Go("parent", func(ctx context.Context) error {
					outer.Go("grandchild", func(context.Context) error { return errBoom })
					return loop.Sleep(ctx, time.Hour)
				})
				return nil
			})
		})
		if errs := err.(task.Errors); len(errs) != 1 || errs[0].Path != "grandchild" {
			t.Errorf("error %v", err)
		}
	})
}

func TestCase19ChildCancelsItsGroupInItsFirstStep(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			ctx, cancel := context.WithCancelCause(ctx)
			return task.Run(ctx, &task.Options{Limit: 1}, func(g *task.Group) error {
				g.Go("cancels", func(ctx context.Context) error { cancel(errBoom); return nil })
				for range 10 {
					g.Go("never", func(context.Context) error { t.Error("began"); return nil })
				}
				return nil
			})
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errBoom) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCase20PanicOfTheCreatorIsNotTheChilds(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) (err error) {
			defer func() {
				if recover() != any(errBoom) {
					t.Error("the creator's panic got lost")
				}
			}()
			defer func() {
				err = task.Run(ctx, nil, func(g *task.Group) error {
					g.Go("x", func(ctx context.Context) error {
						if v := recover(); v != nil {
							t.Errorf("the child recovered %v", v)
						}
						_ = loop.Yield(ctx)
						return fs.ErrExist
					})
					return nil
				})
			}()
			panic(errBoom)
		})
		if !errors.Is(err, fs.ErrExist) || errors.Is(err, errBoom) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCase21PlaceInTheTreeIsKnownInTheFirstStep(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		var paths []string
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, &task.Options{Name: "g"}, func(g *task.Group) error {
				g.Go("x", func(ctx context.Context) error {
					paths = append(paths, task.Path(ctx))
					_ = loop.Yield(ctx)
					paths = append(paths, task.Path(ctx))
					return nil
				})
				return nil
			})
		})
		if err != nil || !slices.Equal(paths, []string{"g > x", "g > x"}) {
			t.Errorf("paths %q, error %v", paths, err)
		}
	})
}

func TestCase22DeepNesting(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		depth := 12_000 // more than stand on one stack
		if m.name == "goroutine" {
			depth = 3_000
		}
		deepest := 0
		var nest func(ctx context.Context, level int) error
		nest = func(ctx context.Context, level int) error {
			deepest = max(deepest, level)
			if level == depth {
				return loop.Yield(context.Background()) // the loop is too far up to ask for
			}
			return task.Run(context.WithoutCancel(ctx), nil, func(g *task.Group) error {
				g.Go("", func(ctx context.Context) error { return nest(ctx, level+1) })
				return nil
			})
		}
		if err := m.run(t, func(ctx context.Context) error { return nest(ctx, 0) }); err != nil || deepest != depth {
			t.Errorf("depth %d, error %v", deepest, err)
		}
	})
}

func TestCase23StormOfTasksGivesOthersATurn(t *testing.T) {
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		at := 0
		return task.Run(ctx, nil, func(g *task.Group) error {
			loop.From(ctx).Post(loop.Normal, func() { at = -at })
			for i := range 900 {
				g.Go("", func(context.Context) error {
					if at >= 0 {
						at = i
					}
					if at >= 200 {
						return errors.New("a callback has waited for 200 tasks")
					}
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCase24ScheduledStartOnRequest(t *testing.T) {
	var ev trace
	note := func(s string) func(context.Context) error {
		return func(context.Context) error { ev.add("%s", s); return nil }
	}
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		l := loop.From(ctx)
		err := task.Run(ctx, nil, func(g *task.Group) error {
			g.GoLater("", note("later"))
			g.Go("", note("eager"))
			l.Post(loop.Normal, func() { ev.add("callback") })
			ev.add("body")
			return nil
		})
		ev.add("joined")
		return errors.Join(err, task.Run(ctx, &task.Options{Later: true}, func(g *task.Group) error {
			l.Post(loop.Normal, func() { ev.add("callback") })
			g.Go("", note("lazy"))
			return nil
		}))
	})
	if err != nil {
		t.Error(err)
	}
	// The joiner stands in line behind the callback when the last task ends.
	ev.want(t, "body", "eager", "later", "callback", "joined", "callback", "lazy")
}

func TestCase25LoopThatDoesNotRunYet(t *testing.T) {
	l, ran := loop.New(nil), false
	l.Go(loop.Normal, "", func(ctx context.Context) error {
		defer l.Stop()
		return task.Run(ctx, nil, func(g *task.Group) error {
			g.Go("", func(context.Context) error { ran = true; return nil })
			return nil
		})
	})
	if ran {
		t.Error("a coroutine ran without the loop")
	}
	if err := l.Run(t.Context()); err != nil || !ran {
		t.Errorf("ran %v, error %v", ran, err)
	}
}

func TestCase26WakingDoesNotRunTheWoken(t *testing.T) {
	var ev trace
	err := runOnLoop(t, nil, func(ctx context.Context) error {
		l := loop.From(ctx)
		return task.Run(ctx, nil, func(g *task.Group) error {
			var wake func()
			g.Go("", func(ctx context.Context) error {
				err := l.Suspend(ctx, func(w func()) { wake = w })
				ev.add("woken")
				return err
			})
			g.Go("", func(context.Context) error {
				ev.add("wakes")
				wake()
				ev.add("goes on")
				return nil
			})
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
	ev.want(t, "wakes", "goes on", "woken")
}

func TestCase27Order(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		var ev trace
		err := m.run(t, func(ctx context.Context) error {
			limit := 0
			if m.name == "goroutine" {
				limit = 1
			}
			return task.Run(ctx, &task.Options{Limit: limit}, func(g *task.Group) error {
				for i := range 3 {
					g.Go("", func(ctx context.Context) error {
						ev.add("%da", i)
						_ = loop.Yield(ctx)
						ev.add("%db", i)
						return nil
					})
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
		if m.name == "loop" {
			ev.want(t, "0a", "1a", "2a", "0b", "1b", "2b")
		} else {
			ev.want(t, "0a", "0b", "1a", "1b", "2a", "2b")
		}
	})
}

func TestCase28StackIsThatOfTheChild(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		_ = m.run(t, func(ctx context.Context) error {
			defer func() {
				p, _ := recover().(*task.PanicError)
				if p == nil || !strings.Contains(string(p.Stack), "explode") {
					t.Fatalf("recovered %v", p)
				}
				for _, alien := range []string{"TestCase28", "joinHosted", "loop.", "help("} {
					if strings.Contains(string(p.Stack), alien) {
						t.Errorf("the stack has %q in it:\n%s", alien, p.Stack)
					}
				}
				if !strings.Contains(p.Spawned, "cases_test.go:") {
					t.Errorf("spawned at %q", p.Spawned)
				}
			}()
			return task.Run(ctx, nil, func(g *task.Group) error { g.Go("x", explode); return nil })
		})
	})
}

func (e trace) want(t *testing.T, events ...string) {
	t.Helper()
	if !slices.Equal(e, events) {
		t.Errorf("got  %q\nwant %q", []string(e), events)
	}
}
