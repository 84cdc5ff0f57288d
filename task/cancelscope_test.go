package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// inBubble runs fn in each model with a clock that jumps.
func inBubble(t *testing.T, fn func(t *testing.T, ctx context.Context) error) {
	onBoth(t, func(t *testing.T, m model) {
		synctest.Test(t, func(t *testing.T) {
			inModel(t, m, func(ctx context.Context) error { return fn(t, ctx) })
		})
	})
}

func TestScopeDeadlineMoves(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		start := time.Now()
		s := task.NewScope(ctx, &task.ScopeOptions{Name: "moved", Timeout: time.Second})
		defer s.Close()
		s.SetDeadline(start.Add(time.Hour))
		if at, ok := s.Deadline(); !ok || !at.Equal(start.Add(time.Hour)) {
			t.Errorf("deadline %v, %v", at, ok)
		}
		if err := loop.Sleep(s, time.Minute); err != nil {
			t.Errorf("after the first deadline: %v", err)
		}
		s.SetDeadline(time.Time{})
		if _, ok := s.Deadline(); ok {
			t.Error("a deadline after it was taken away")
		}
		if err := loop.Sleep(s, 2*time.Hour); err != nil {
			t.Errorf("after the second deadline: %v", err)
		}
		s.SetDeadline(time.Now().Add(time.Second))
		err := loop.Sleep(s, time.Hour)
		var timeout *task.TimeoutError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(context.Cause(s), &timeout) ||
			timeout.Scope != "moved" || !strings.Contains(timeout.At, "cancelscope_test.go") {
			t.Errorf("%v, cause %v", err, context.Cause(s))
		}
		if took := time.Since(start); took != time.Minute+2*time.Hour+time.Second {
			t.Errorf("ended after %v", took)
		}
		s.SetDeadline(time.Now().Add(time.Hour))
		if s.Err() == nil {
			t.Error("a scope that had ended goes on")
		}
		return nil
	})
}

// Scopes nest: the earliest deadline counts, and contexts of the standard
// library below see error and cause.
func TestScopesNest(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		outer := task.NewScope(ctx, &task.ScopeOptions{Name: "outer", Timeout: time.Second})
		defer outer.Close()
		inner := task.NewScope(outer, &task.ScopeOptions{Name: "inner", Timeout: time.Minute})
		defer inner.Close()
		std, cancel := context.WithCancel(inner)
		defer cancel()
		if at, _ := inner.Deadline(); time.Until(at) != time.Second {
			t.Errorf("effective deadline in %v", time.Until(at))
		}
		for _, c := range []context.Context{std, inner, outer} {
			_ = loop.Sleep(c, time.Hour)
			var timeout *task.TimeoutError
			if c.Err() != context.DeadlineExceeded || !errors.As(context.Cause(c), &timeout) || timeout.Scope != "outer" {
				t.Errorf("%T: %v, cause %v", c, c.Err(), context.Cause(c))
			}
		}
		return nil
	})
}

// Cancellation is a level: each wait is refused until the scope is left. The
// cause says who did it, where and why.
func TestScopeCancel(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		s := task.NewScope(ctx, &task.ScopeOptions{Name: "job"})
		defer s.Close()
		refused := 0
		err := task.Run(ctx, &task.Options{Name: "top"}, func(g *task.Group) error {
			g.GoLater("worker", func(context.Context) error {
				return task.Run(s, nil, func(g *task.Group) error {
					g.Go("", func(ctx context.Context) error {
						for loop.Sleep(ctx, time.Hour) != nil {
							if refused++; refused == 3 {
								return nil
							}
						}
						return errors.New("not refused")
					})
					return nil
				})
			})
			g.GoLater("boss", func(ctx context.Context) error {
				if err := loop.Sleep(ctx, time.Minute); err != nil {
					return err
				}
				s.Cancel(ctx, errBoom)
				s.Cancel(ctx, errors.New("too late"))
				return nil
			})
			return nil
		})
		var c *task.Cancellation
		if !errors.As(context.Cause(s), &c) || c.By != "top > boss" || c.Reason != errBoom || c.Scope != "job" ||
			!strings.Contains(c.At, "cancelscope_test.go:") || refused != 3 || err != nil {
			t.Errorf("%v; cause %+v, refused %d", err, c, refused)
		}
		if want := "cancelled scope job by top > boss at "; !strings.HasPrefix(c.Error(), want) {
			t.Errorf("text %q", c.Error())
		}
		if err := loop.Sleep(ctx, time.Minute); err != nil {
			t.Errorf("after the scope was left: %v", err)
		}
		return nil
	})
}

func TestShield(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		start := time.Now()
		err := task.Shield(ctx, time.Minute, func(ctx context.Context) error {
			if err := loop.Sleep(ctx, time.Second); err != nil {
				t.Errorf("under the shield: %v", err)
			}
			return loop.Sleep(ctx, time.Hour)
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		return nil
	})
}

// The end of what is above reaches a scope that is no shield, whatever kind
// of context that is.
func TestScopeEndsWithParent(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		std, cancel := context.WithCancelCause(ctx)
		err := task.Run(std, nil, func(g *task.Group) error {
			for range 3 {
				g.GoLater("", func(ctx context.Context) error {
					s := task.NewScope(ctx, nil)
					defer s.Close()
					err := loop.Sleep(s, time.Hour)
					if !errors.Is(err, errBoom) || context.Cause(s) != errBoom {
						t.Errorf("%v, cause %v", err, context.Cause(s))
					}
					return nil
				})
			}
			g.GoLater("", func(ctx context.Context) error {
				err := loop.Sleep(ctx, time.Minute)
				cancel(errBoom)
				return err
			})
			return nil
		})
		late := task.NewScope(std, nil)
		defer late.Close()
		if late.Err() != context.Canceled || context.Cause(late) != errBoom {
			t.Errorf("made too late: %v, %v", late.Err(), context.Cause(late))
		}
		return err
	})
}

func TestWithin(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context) error {
		var timeout *task.TimeoutError
		err := task.Within(ctx, time.Minute, func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("", func(ctx context.Context) error { return loop.Sleep(ctx, time.Hour) })
				return nil
			})
		})
		if !errors.As(err, &timeout) || !strings.Contains(timeout.At, "cancelscope_test.go") {
			t.Errorf("a group that waits: %v", err)
		}
		if err := task.Within(ctx, time.Minute, func(context.Context) error { return errBoom }); err != errBoom {
			t.Errorf("another error: %v", err)
		}
		if err := task.Within(ctx, time.Minute, func(ctx context.Context) error {
			_ = loop.Sleep(ctx, time.Hour)
			return nil // has its result all the same
		}); err != nil {
			t.Errorf("a value in spite of the deadline: %v", err)
		}
		late, err := task.MoveOn(ctx, time.Minute, func(ctx context.Context) error { return loop.Sleep(ctx, time.Hour) })
		if !late || err != nil {
			t.Errorf("moved on: %v, %v", late, err)
		}
		late, err = task.MoveOn(ctx, time.Hour, func(ctx context.Context) error {
			return task.Within(ctx, time.Minute, func(ctx context.Context) error { return loop.Sleep(ctx, 2*time.Hour) })
		})
		if late || !errors.As(err, &timeout) {
			t.Errorf("the inner deadline is not that of the outer scope: %v, %v", late, err)
		}
		return nil
	})
}

// What is made from a scope and let go leaves nothing behind in it.
func TestScopeAfterFunc(t *testing.T) {
	s := task.NewScope(t.Context(), nil)
	called := 0
	stop := s.AfterFunc(func() { called++ })
	if !stop() || stop() {
		t.Error("stop")
	}
	s.AfterFunc(func() { called++ })
	s.Close()
	s.Close()
	s.AfterFunc(func() { called++ })
	if called != 2 || s.Err() != context.Canceled {
		t.Errorf("%d calls, %v", called, s.Err())
	}
}
