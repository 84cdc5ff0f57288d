package loop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// A logbook keeps what is logged.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func dawdle(t *testing.T, book *logbook) {
	for !strings.Contains(book.String(), "slow callback") {
		time.Sleep(time.Millisecond) // in a bubble of synctest
	}
}

func TestSlowCallbackIsNamedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		l := loop.New(&loop.Options{Slow: 20 * time.Millisecond, Log: book.logger()})
		l.Post(loop.Normal, func() { dawdle(t, &book) })
		for range 50 {
			l.Post(loop.Normal, func() { time.Sleep(10 * time.Millisecond) })
		}
		l.Post(loop.Idle, l.Stop)
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(book.String(), "slow callback"); n != 1 || !strings.Contains(book.String(), "loop_test.dawdle") {
			t.Errorf("%d reports:\n%s", n, book.String())
		}
	})
}

// The stack is that of the coroutine which blocks the loop.
func TestSlowCoroutineIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		l := loop.New(&loop.Options{Slow: 20 * time.Millisecond, Log: book.logger(), Finite: true})
		for range 3 {
			l.Go(loop.Normal, "waits", func(ctx context.Context) error { return loop.Sleep(ctx, time.Second) })
		}
		l.Go(loop.Normal, "blocks", func(ctx context.Context) error {
			dawdle(t, &book)
			return nil
		})
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(book.String(), "task=blocks") || !strings.Contains(book.String(), "loop_test.dawdle") {
			t.Errorf("said:\n%s", book.String())
		}
	})
}

func TestFinite(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true})
	var got []string
	l.After(time.Millisecond, loop.Idle, func() {
		got = append(got, "timer")
		release := l.Hold()
		go func() { // ends before the loop does
			l.Post(loop.Normal, func() { got = append(got, "post") })
			release()
			release()
		}()
	})
	if err := l.Run(t.Context()); err != nil {
		t.Errorf("Run = %v", err)
	}
	if len(got) != 2 {
		t.Errorf("ran %q", got)
	}
}

// jump is a clock that goes forward when it is told to.
type jump struct{ at time.Duration }

func (c *jump) Now() time.Duration    { return c.at }
func (c *jump) Skip(to time.Duration) { c.at = max(c.at, to) }

func TestClockSkips(t *testing.T) {
	clock := &jump{}
	l := loop.New(&loop.Options{Clock: clock, Finite: true})
	var at []time.Duration
	for _, d := range []time.Duration{time.Hour, time.Minute, 24 * 365 * time.Hour} {
		l.After(d, loop.Normal, func() { at = append(at, l.Now()) })
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(at) != 3 || at[0] != time.Minute || at[1] != time.Hour || at[2] != 24*365*time.Hour {
		t.Errorf("timers ran at %v", at)
	}
}

func TestPick(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true, Pick: func(_ loop.Priority, n int) int { return n - 1 }})
	var got []int
	for i := range 5 {
		l.Post(loop.Normal, func() { got = append(got, i) })
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != 4-i {
			t.Fatalf("order %v, want the newest first", got)
		}
	}
}

// The error of a loop that is stuck says who waits for what.
func TestStuck(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true})
	forever := func(ctx context.Context) error { return l.Suspend(ctx, func(func()) {}) }
	l.Go(loop.Normal, "lonely", forever)
	for range 20 {
		l.Go(loop.Normal, "crowd", forever)
	}
	err := l.Run(t.Context())
	if !errors.Is(err, loop.ErrStuck) {
		t.Fatalf("Run = %v", err)
	}
	for _, want := range []string{"lonely for an event", "and 11 more"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// spin keeps the processor busy until it may end.
func spin(end *atomic.Bool) {
	for !end.Load() {
	}
}

func elsewhere(end *atomic.Bool) { spin(end) }

// A task that a coroutine runs on its own stack has the name and the stack
// that are told, also when another loop of the process is held up as well.
func TestSlowTaskIsNamed(t *testing.T) {
	var book logbook
	var end atomic.Bool
	defer end.Store(true)
	other := loop.New(&loop.Options{Finite: true})
	other.Go(loop.Normal, "another", func(context.Context) error {
		elsewhere(&end)
		return nil
	})
	ended := make(chan error)
	go func() { ended <- other.Run(context.Background()) }() // ends with the test
	l := loop.New(&loop.Options{Slow: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&untilSlow{&book, &end}, nil)), Finite: true})
	l.Go(loop.Normal, "outer", func(ctx context.Context) error {
		_ = loop.Yield(ctx)
		return task.Run(ctx, nil, func(g *task.Group) error {
			g.Go("spins", func(context.Context) error {
				spin(&end)
				return nil
			})
			g.Go("waits", func(ctx context.Context) error { return loop.Sleep(ctx, time.Millisecond) })
			return nil
		})
	})
	if err := l.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{`task="outer > spins"`, "loop_test.spin"} {
		if !strings.Contains(book.String(), want) {
			t.Errorf("does not say %s:\n%s", want, book.String())
		}
	}
	if strings.Contains(book.String(), "loop_test.elsewhere") {
		t.Errorf("tells of another loop:\n%s", book.String())
	}
}

// untilSlow ends a spin when something was logged.
type untilSlow struct {
	*logbook
	end *atomic.Bool
}

func (u *untilSlow) Write(p []byte) (int, error) {
	defer u.end.Store(true)
	return u.logbook.Write(p)
}

// A loop that does not answer has its task named without Slow, too.
func TestHeldUpLoopIsNamed(t *testing.T) {
	var end atomic.Bool
	l := loop.New(&loop.Options{Finite: true})
	begun := make(chan struct{})
	for range 3 {
		l.Go(loop.Normal, "waits", func(ctx context.Context) error { return loop.Sleep(ctx, time.Millisecond) })
	}
	l.Go(loop.Normal, "holds up", func(context.Context) error {
		close(begun)
		spin(&end)
		return nil
	})
	ended := make(chan error)
	go func() { ended <- l.Run(context.Background()) }() // ends with the test
	<-begun
	stuck := task.Tree().Stuck
	end.Store(true)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(stuck) != 1 || !strings.HasPrefix(stuck[0], "task \"holds up\"\ngoroutine ") || !strings.Contains(stuck[0], "loop_test.spin") {
		t.Errorf("stuck: %q", stuck)
	}
}

// Coroutines that end only because their loop does are told once, in debug
// mode, with what they wait for and where they were started.
func TestCutOffCoroutinesAreTold(t *testing.T) {
	for _, debug := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var book logbook
			l := loop.New(&loop.Options{Debug: debug, Log: book.logger()})
			l.Go(loop.Normal, "ends", func(ctx context.Context) error { return loop.Sleep(ctx, time.Second) })
			l.Go(loop.Normal, "server", func(ctx context.Context) error {
				return task.Run(ctx, &task.Options{Name: "requests"}, func(g *task.Group) error {
					g.Go("first", func(ctx context.Context) error { return loop.Sleep(ctx, time.Hour) })
					return nil
				})
			})
			l.After(time.Minute, loop.Normal, l.Stop)
			if err := l.Run(t.Context()); err != nil {
				t.Error(err)
			}
			told := book.String()
			if !debug {
				if told != "" {
					t.Errorf("told without being asked:\n%s", told)
				}
				return
			}
			for _, want := range []string{
				"count=1", "server > requests > first, for 1m0s, waits for a timer, started at loop/debug_test.go:",
			} {
				if strings.Count(told, "coroutines at work when their loop ended") != 1 || !strings.Contains(told, want) {
					t.Errorf("does not say %q:\n%s", want, told)
				}
			}
		})
	}
}
