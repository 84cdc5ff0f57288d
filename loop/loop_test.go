package loop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/loop"
)

// start runs a loop until the test ends; inside a synctest bubble a
// goroutine that is left over fails the test.
func start(t *testing.T, opts *loop.Options) *loop.Loop {
	t.Helper()
	l := loop.New(opts)
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }() // ends below
	t.Cleanup(func() {
		l.Stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return l
}

// runAll runs what was posted to l until an idle callback stops it.
func runAll(t *testing.T, l *loop.Loop) {
	t.Helper()
	var last func()
	last = func() {
		if l.ShouldYield() || l.Stats().Waiting > 0 || l.Stats().Timers > 0 {
			l.Post(loop.Idle, last)
			return
		}
		l.Stop()
	}
	l.Post(loop.Idle, last)
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOrder(t *testing.T) {
	l := loop.New(nil)
	var got []string
	say := func(s string) func() { return func() { got = append(got, s) } }
	l.Post(loop.Idle, say("idle"))
	l.Post(loop.Normal, say("normal"))
	l.Post(loop.IO, func() {
		say("io 1")()
		l.Post(loop.Control, say("control 2")) // goes before what waits
	})
	l.Post(loop.IO, say("io 2"))
	l.Post(loop.Control, say("control 1"))
	runAll(t, l)
	want := []string{"control 1", "io 1", "control 2", "io 2", "normal", "idle"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewsGoBeforeTheNextIdle(t *testing.T) {
	l := loop.New(nil)
	var got []string
	for i := range 3 {
		l.Post(loop.Idle, func() {
			got = append(got, fmt.Sprint("idle ", i))
			l.Post(loop.Normal, func() { got = append(got, fmt.Sprint("normal ", i)) })
			if !l.ShouldYield() {
				t.Error("ShouldYield is false with a post waiting")
			}
		})
	}
	runAll(t, l)
	want := []string{"idle 0", "normal 0", "idle 1", "normal 1", "idle 2", "normal 2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStarvationBound(t *testing.T) {
	for _, starve := range []int{1, 8, 64} {
		l := loop.New(&loop.Options{Starve: starve})
		var ran []loop.Priority
		flood := map[loop.Priority]int{loop.Control: 2000, loop.IO: 30, loop.Normal: 30, loop.Idle: 10}
		for pri, n := range flood {
			for range n {
				l.Post(pri, func() { ran = append(ran, pri) })
			}
		}
		runAll(t, l)
		// Two more lines can come due in the same moment.
		bound := starve + 3
		for pri, n := range flood {
			waited := 0
			for _, p := range ran {
				if p == pri {
					waited, n = 0, n-1
				} else if waited++; n > 0 && waited > bound {
					t.Fatalf("starve %d: %v waited for %d callbacks", starve, pri, waited)
				}
			}
		}
	}
}

func TestNoStarvationBound(t *testing.T) {
	l := loop.New(&loop.Options{Starve: -1})
	var first []loop.Priority
	l.Post(loop.Normal, func() { first = append(first, loop.Normal) })
	for range 500 {
		l.Post(loop.Control, func() { first = append(first, loop.Control) })
	}
	runAll(t, l)
	if i := slices.Index(first, loop.Normal); i != 500 {
		t.Errorf("normal callback ran as number %d", i)
	}
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, nil)
		began := time.Now()
		var mu sync.Mutex
		var got []string
		note := func(s string) func() {
			return func() {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprint(s, " ", time.Since(began)))
			}
		}
		l.After(3*time.Second, loop.Normal, note("a"))
		l.After(time.Second, loop.Normal, note("b"))
		l.After(time.Second, loop.Normal, note("c"))
		l.After(time.Second, loop.Control, note("d"))
		stopped := l.After(2*time.Second, loop.Normal, note("e"))
		l.After(-time.Second, loop.IO, note("f"))
		late := l.After(time.Second, loop.Idle, note("g"))
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop did not report true once")
		}
		l.After(time.Hour, loop.Normal, note("never"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		want := []string{"f 0s", "d 1s", "b 1s", "c 1s", "g 1s", "a 3s"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if late.Stop() {
			t.Error("Stop reports true after the callback ran")
		}
		if s := l.Stats(); s.Timers != 1 || s.Waiting != 0 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

func TestTimerStopIsFinalOnTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, nil)
		l.Post(loop.Normal, func() {
			var second *loop.Timer
			l.After(time.Second, loop.Control, func() {
				if !second.Stop() { // due, in line, and not begun
					t.Error("Stop = false")
				}
			})
			second = l.After(time.Second, loop.Normal, func() { t.Error("a stopped timer ran") })
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
	})
}

// Many timers run in the order of their deadlines, but for those stopped.
func TestManyTimers(t *testing.T) {
	const n = 50_000
	clock := &jump{}
	l := loop.New(&loop.Options{Clock: clock, Finite: true})
	chance := rand.New(rand.NewPCG(1, 2))
	var all []*loop.Timer
	ran, last := 0, time.Duration(0)
	for range n {
		d := time.Duration(chance.Int64N(n / 4)) // many are due together
		all = append(all, l.After(d, loop.Normal, func() {
			if ran++; l.Now() != d || d < last {
				t.Errorf("a timer for %v ran at %v, after one for %v", d, l.Now(), last)
				l.Stop()
			}
			last = d
		}))
	}
	stopped := 0
	for _, timer := range all {
		if chance.IntN(2) == 0 {
			stopped++
			if !timer.Stop() {
				t.Fatal("Stop = false")
			}
		}
	}
	if s := l.Stats(); s.Timers != n-stopped {
		t.Errorf("%d timers are set, want %d", s.Timers, n-stopped)
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ran != n-stopped {
		t.Errorf("%d timers ran, want %d", ran, n-stopped)
	}
}

func TestCall(t *testing.T) {
	l := start(t, nil)
	n := 0
	for range 1000 {
		if err := l.Call(t.Context(), loop.Normal, func() { n++ }); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1000 {
		t.Errorf("%d calls ran", n)
	}
	var inner error
	if err := l.Call(t.Context(), loop.Normal, func() {
		inner = l.Call(t.Context(), loop.Normal, func() { t.Error("ran") })
	}); err != nil {
		t.Fatal(err)
	}
	if inner != loop.ErrOnLoop {
		t.Errorf("call on the loop: %v", inner)
	}
}

func TestCallGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, nil)
		block := make(chan struct{})
		l.Post(loop.Normal, func() { <-block })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := l.Call(ctx, loop.Normal, func() { t.Error("ran after Call gave up") })
		if err != context.DeadlineExceeded {
			t.Errorf("Call = %v", err)
		}
		go func() { // ends with the loop
			time.Sleep(time.Second)
			l.Stop()
			close(block)
		}()
		if err := l.Call(t.Context(), loop.Normal, func() { t.Error("ran after Stop") }); err != loop.ErrStopped {
			t.Errorf("Call = %v", err)
		}
		if l.Post(loop.Normal, func() {}) {
			t.Error("Post = true after the end")
		}
		if l.After(0, loop.Normal, func() { t.Error("ran") }).Stop() {
			t.Error("a timer of an ended loop could be stopped")
		}
		if err := l.Run(t.Context()); err != loop.ErrStopped {
			t.Errorf("second Run = %v", err)
		}
	})
}

func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l := loop.New(nil)
		l.After(time.Hour, loop.Normal, func() { t.Error("ran") })
		if err := l.Run(ctx); err != context.DeadlineExceeded {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestPanicGoesThroughRun(t *testing.T) {
	oops := errors.New("oops")
	l := loop.New(nil)
	call := make(chan error)
	l.Post(loop.Normal, func() {
		go func() { // ends when the loop does
			call <- l.Call(context.Background(), loop.Normal, func() {})
		}()
		for l.Stats().Waiting == 0 {
			runtime.Gosched()
		}
		panic(oops)
	})
	func() {
		defer func() {
			if v := recover(); v != oops {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = l.Run(t.Context())
	}()
	if err := <-call; err != loop.ErrStopped {
		t.Errorf("Call = %v", err)
	}
}

// Every producer's callbacks of a priority run once and in its order.
func TestPostFromManyGoroutines(t *testing.T) {
	const producers, each = 8, 5000
	l := loop.New(nil)
	var next [producers][3]int
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each * 3 {
				pri := loop.Priority(i % 3)
				l.Post(pri, func() {
					if next[p][pri] != i/3 {
						t.Errorf("producer %d, %v: callback %d ran as number %d", p, pri, i/3, next[p][pri])
						l.Stop()
					}
					next[p][pri]++
				})
			}
		})
	}
	go func() { // ends with the producers
		wg.Wait()
		for s := l.Stats(); s.Run < s.Posted; s = l.Stats() {
			runtime.Gosched()
		}
		l.Stop()
	}()
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for p := range next {
		if next[p] != [3]int{each, each, each} {
			t.Errorf("producer %d: ran %v", p, next[p])
		}
	}
	if s := l.Stats(); s.Posted != producers*each*3 || s.Run != s.Posted || s.Waiting != 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestBadArguments(t *testing.T) {
	l := loop.New(nil)
	for want, f := range map[string]func(){
		"nil callback": func() { l.Post(loop.Normal, nil) },
		"priority 4":   func() { l.Post(loop.Idle+1, func() {}) },
		"priority -1":  func() { l.After(0, -1, func() {}) },
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, want) {
					t.Errorf("panic %q, want %q", v, want)
				}
			}()
			f()
		}()
	}
}
