package loop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

var errBoom = errors.New("boom")

// onLoop runs fn on a coroutine of a new loop, which it ends.
func onLoop(t testing.TB, opts *loop.Options, fn func(ctx context.Context, l *loop.Loop) error) error {
	t.Helper()
	l := loop.New(opts)
	var failed error
	l.Go(loop.Normal, "main", func(ctx context.Context) error {
		defer l.Stop()
		failed = fn(ctx, l)
		return nil
	})
	if err := l.Run(t.Context()); err != nil {
		return err
	}
	return failed
}

// trace collects events in order.
type trace []string

func (e *trace) add(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }

func (e trace) want(t *testing.T, events ...string) {
	t.Helper()
	if !slices.Equal(e, events) {
		t.Errorf("got  %q\nwant %q", []string(e), events)
	}
}

func TestGoIsEagerOnTheLoop(t *testing.T) {
	var ev trace
	err := onLoop(t, nil, func(ctx context.Context, l *loop.Loop) error {
		for i := range 3 {
			l.Go(loop.Normal, "", func(ctx context.Context) error {
				ev.add("%da", i)
				err := loop.Yield(ctx)
				ev.add("%db", i)
				return err
			})
		}
		ev.add("creator")
		_ = loop.Yield(ctx)
		ev.add("end")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	ev.want(t, "0a", "1a", "2a", "creator", "0b", "1b", "2b", "end")
}

func TestSleepSuspendsOnlyTheCoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ev trace
		start := time.Now()
		err := onLoop(t, nil, func(ctx context.Context, l *loop.Loop) error {
			return task.Run(ctx, nil, func(*task.Group) error {
				for i := range 3 {
					l.Go(loop.Normal, "", func(ctx context.Context) error {
						err := loop.Sleep(ctx, time.Duration(3-i)*time.Second)
						ev.add("%d after %v", i, time.Since(start))
						return err
					})
				}
				return loop.Sleep(ctx, time.Hour)
			})
		})
		if err != nil {
			t.Error(err)
		}
		ev.want(t, "2 after 1s", "1 after 2s", "0 after 3s")
	})
}

func TestSuspend(t *testing.T) {
	err := onLoop(t, nil, func(ctx context.Context, l *loop.Loop) error {
		for name, start := range map[string]func(wake func()){
			"at once":      func(wake func()) { wake(); wake() },
			"by the loop":  func(wake func()) { l.Post(loop.Idle, wake) },
			"by others":    func(wake func()) { go func() { wake(); wake() }() }, // ends by itself
			"by coroutine": func(wake func()) { l.Go(loop.IO, "", func(context.Context) error { wake(); return nil }) },
		} {
			if err := l.Suspend(ctx, start); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		short, cancel := context.WithCancelCause(ctx)
		err := l.Suspend(short, func(wake func()) {
			l.Post(loop.Normal, func() { cancel(errBoom) })
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errBoom) {
			t.Errorf("cancelled: %v", err)
		}
		err = l.Suspend(short, func(func()) { t.Error("a wait began on a context that has ended") })
		if !errors.Is(err, errBoom) {
			t.Errorf("cancelled before: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSuspendElsewherePanics(t *testing.T) {
	l := loop.New(nil)
	defer func() {
		if v, _ := recover().(string); !strings.Contains(v, "outside") {
			t.Errorf("recovered %v", v)
		}
	}()
	_ = l.Suspend(t.Context(), func(func()) {})
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := onLoop(t, &loop.Options{Blocking: 2}, func(ctx context.Context, l *loop.Loop) error {
			return task.Run(ctx, nil, func(*task.Group) error {
				left := 5
				return l.Suspend(ctx, func(wake func()) {
					for range left { // of which two run at a time
						l.Go(loop.Normal, "", func(ctx context.Context) error {
							n, err := loop.Await(ctx, func(context.Context) (int, error) {
								time.Sleep(time.Second) // blocks a goroutine, in a synctest bubble
								return 7, errBoom
							})
							if n != 7 || err != errBoom {
								t.Errorf("got %d, %v", n, err)
							}
							if left--; left == 0 {
								wake()
							}
							return nil
						})
					}
				})
			})
		})
		if took := time.Since(start); err != nil || took != 3*time.Second {
			t.Errorf("took %v, error %v", took, err)
		}
	})
}

func TestAwaitUnwinds(t *testing.T) {
	defer func() {
		p, ok := recover().(*task.PanicError)
		if !ok || !errors.Is(p, errBoom) || p.Path != "main" || !strings.Contains(string(p.Stack), "TestAwaitUnwinds") {
			t.Errorf("recovered %v", p)
		}
	}()
	err := onLoop(t, nil, func(ctx context.Context, l *loop.Loop) error {
		_, err := loop.Await(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		if err != task.ErrGoexit {
			t.Errorf("Goexit: %v", err)
		}
		_, _ = loop.OnThread(ctx, func(context.Context) (int, error) { panic(errBoom) })
		return nil
	})
	t.Errorf("no panic, but %v", err)
}

func TestPlainStyleOnGoroutines(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if n, err := loop.Await(ctx, func(context.Context) (int, error) { return 3, nil }); n != 3 || err != nil {
		t.Errorf("Await: %d, %v", n, err)
	}
	if err := errors.Join(loop.Yield(ctx), loop.Sleep(ctx, time.Microsecond)); err != nil {
		t.Error(err)
	}
	cancel()
	if loop.Yield(ctx) != context.Canceled || loop.Sleep(ctx, time.Hour) != context.Canceled {
		t.Error("a context that has ended is not noticed")
	}
}

func TestDo(t *testing.T) {
	l := loop.New(nil)
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }() // ends below
	ctx := context.WithValue(t.Context(), errBoom, "v")
	err := l.Do(ctx, loop.Normal, "name", func(ctx context.Context) error {
		if ctx.Value(errBoom) != "v" || loop.From(ctx) != l || task.Path(ctx) != "name" {
			t.Errorf("value %v, loop %p, path %q", ctx.Value(errBoom), loop.From(ctx), task.Path(ctx))
		}
		if err := l.Do(ctx, loop.Normal, "", nil); err != loop.ErrOnLoop {
			t.Errorf("nested: %v", err)
		}
		if err := l.Call(ctx, loop.Normal, func() {}); err != loop.ErrOnLoop {
			t.Errorf("Call from a coroutine: %v", err)
		}
		_ = loop.Sleep(ctx, time.Microsecond)
		return errBoom
	})
	var e *task.TaskError
	if !errors.As(err, &e) || e.Err != errBoom || e.Path != "name" || !strings.Contains(e.Spawned, "coro_test.go:") {
		t.Errorf("got %#v", err)
	}
	func() {
		defer func() {
			if p, ok := recover().(*task.PanicError); !ok || !strings.Contains(string(p.Stack), "coro_test.go") {
				t.Errorf("recovered %v", p)
			}
		}()
		_ = l.Do(ctx, loop.Normal, "", func(context.Context) error { panic(1) })
	}()
	if err := l.Do(ctx, loop.Normal, "", func(context.Context) error { runtime.Goexit(); return nil }); !errors.Is(err, task.ErrGoexit) {
		t.Errorf("Goexit: %v", err)
	}
	err = l.Do(ctx, loop.Normal, "", func(ctx context.Context) error {
		l.Stop()
		return loop.Sleep(context.WithoutCancel(ctx), time.Hour)
	})
	if !errors.Is(err, loop.ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := l.Do(ctx, loop.Normal, "", nil); err != loop.ErrStopped {
		t.Errorf("after the end: %v", err)
	}
}

// What fails and has no owner ends the loop, or goes to the handler; either
// way the loop itself goes on until the coroutine's deferred functions ran.
func TestFailureOfACoroutine(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errBoom },
		"panic":  func() error { panic(errBoom) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		for _, wait := range []bool{false, true} {
			body := func(ev *trace) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					defer func() {
						_ = loop.Yield(ctx)
						ev.add("deferred")
					}()
					if wait {
						_ = loop.Yield(ctx)
					}
					return fail()
				}
			}
			isIt := func(err error) bool {
				return errors.Is(err, errBoom) != (name == "goexit") && errors.Is(err, task.ErrGoexit) == (name == "goexit")
			}
			var told []error
			var ev trace
			l := loop.New(&loop.Options{Failed: func(err error) { told = append(told, err) }})
			l.Go(loop.Normal, "fails", body(&ev))
			l.Go(loop.Idle, "goes on", func(ctx context.Context) error {
				for range 5 {
					_ = loop.Yield(ctx)
				}
				ev.add("goes on")
				l.Stop()
				return nil
			})
			if err := l.Run(t.Context()); err != nil || len(told) != 1 || !isIt(told[0]) {
				t.Errorf("%s: Run returned %v, handler got %v", name, err, told)
			}
			ev.want(t, "deferred", "goes on")

			ev = nil
			l = loop.New(nil)
			l.Go(loop.Normal, "fails", body(&ev))
			err := func() (err error) {
				defer func() {
					if p, ok := recover().(*task.PanicError); ok {
						err = p
					}
				}()
				return l.Run(t.Context())
			}()
			if !isIt(err) {
				t.Errorf("%s: Run ended with %v", name, err)
			}
			ev.want(t, "deferred")
		}
	}
}

// The end of a loop interrupts every wait, also shielded ones, and waits for
// the coroutines and their goroutines.
func TestEndRunsCoroutinesOut(t *testing.T) {
	for _, end := range []string{"stop", "context", "panic"} {
		l := loop.New(nil)
		ctx, cancel := context.WithCancel(context.Background())
		ended := 0
		held := make(chan struct{})
		wait := func(ctx context.Context, i int) error {
			switch i % 4 {
			case 0:
				return loop.Sleep(ctx, time.Hour)
			case 1:
				return loop.Sleep(context.WithoutCancel(ctx), time.Hour)
			case 2:
				return l.Suspend(ctx, func(func()) {})
			default:
				_, err := loop.Await(ctx, func(ctx context.Context) (int, error) {
					<-ctx.Done()
					<-held
					return 0, context.Cause(ctx)
				})
				return err
			}
		}
		for i := range 40 {
			l.Go(loop.Priority(i%3), "", func(ctx context.Context) error {
				defer func() { ended++ }()
				err := wait(ctx, i)
				if err == nil {
					t.Errorf("%s: wait %d was not interrupted", end, i%4)
				}
				if l.Go(loop.Normal, "", func(context.Context) error { return nil }) && end != "context" {
					t.Errorf("%s: a coroutine started after the end", end)
				}
				if i >= 20 { // deferred work that waits in vain
					defer func() { _ = loop.Yield(ctx); _ = loop.Sleep(context.WithoutCancel(ctx), time.Hour) }()
				}
				return err
			})
		}
		l.Go(loop.Idle, "", func(ctx context.Context) error {
			switch end {
			case "stop":
				l.Stop()
			case "context":
				cancel()
			default:
				l.Post(loop.Normal, func() { panic(errBoom) })
			}
			go close(held) // ends by itself
			return nil
		})
		func() {
			defer func() {
				if v := recover(); v != nil && v != any(errBoom) {
					t.Errorf("%s: recovered %v", end, v)
				}
			}()
			if err := l.Run(ctx); err != ctx.Err() {
				t.Errorf("%s: Run returned %v", end, err)
			}
		}()
		cancel()
		if ended != 40 {
			t.Errorf("%s: %d of 40 coroutines ended", end, ended)
		}
	}
}

// A coroutine that takes no notice of errors does not keep the loop alive.
func TestEndOfADeafCoroutine(t *testing.T) {
	deferred := false
	l := loop.New(nil)
	l.Go(loop.Normal, "", func(ctx context.Context) error {
		defer func() { deferred = true }()
		l.Stop()
		for {
			_ = loop.Sleep(ctx, time.Second)
		}
	})
	if err := l.Run(t.Context()); err != nil && !errors.Is(err, task.ErrGoexit) {
		t.Error(err)
	}
	if !deferred {
		t.Error("the deferred function did not run")
	}
}

// A storm of operations that need not wait gives others a turn.
func TestBudget(t *testing.T) {
	for _, tc := range []struct {
		budget int
		fair   bool
	}{{0, true}, {10, true}, {-1, false}} {
		err := onLoop(t, &loop.Options{Budget: tc.budget}, func(ctx context.Context, l *loop.Loop) error {
			posted := false
			l.Post(loop.Normal, func() { posted = true })
			n := 0
			for ; n < 10_000 && !posted; n++ {
				if err := l.Suspend(ctx, func(wake func()) { wake() }); err != nil {
					return err
				}
			}
			if posted != tc.fair || posted && n > 128 {
				t.Errorf("budget %d: a callback ran %v, after %d operations", tc.budget, posted, n)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Coroutines that start one another on and on do not nest without bound.
func TestDeepStarts(t *testing.T) {
	const depth = 50_000
	n := 0
	l := loop.New(nil)
	var deeper func(ctx context.Context) error
	deeper = func(ctx context.Context) error {
		if n++; n == depth {
			l.Stop()
			return nil
		}
		l.Go(loop.Normal, "", deeper)
		return nil
	}
	l.Go(loop.Normal, "", deeper)
	if testing.Short() {
		n = depth - 15_000
	}
	if err := l.Run(t.Context()); err != nil || n != depth {
		t.Errorf("%d started, error %v", n, err)
	}
}
