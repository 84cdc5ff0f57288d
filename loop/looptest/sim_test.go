package looptest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/loop/looptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeTB is a test that may fail.
type fakeTB struct {
	testing.TB
	said     []string
	failed   bool
	cleanups []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Failed() bool      { return f.failed }
func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) Logf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}

func TestTimeJumps(t *testing.T) {
	sim := looptest.New(t, nil)
	var at []time.Duration
	sim.Loop.Go(loop.Normal, "sleeper", func(ctx context.Context) error {
		for range 3 {
			if err := loop.Sleep(ctx, 24*time.Hour); err != nil {
				return err
			}
			at = append(at, sim.Loop.Now())
		}
		return nil
	})
	sim.Run()
	if want := []time.Duration{24 * time.Hour, 48 * time.Hour, 72 * time.Hour}; !slices.Equal(at, want) {
		t.Errorf("woke at %v", at)
	}
}

func TestRunFor(t *testing.T) {
	sim := looptest.New(t, nil)
	n := 0
	var tick func()
	tick = func() { n++; sim.Loop.After(time.Minute, loop.Normal, tick) }
	tick()
	sim.RunFor(time.Hour + time.Second)
	if n != 61 {
		t.Errorf("%d ticks in an hour", n)
	}
}

// gossip has nodes talk at random and returns what happened.
func gossip(t *testing.T, seed uint64, fifo bool) string {
	sim := looptest.New(t, &looptest.Options{Seed: seed, FIFO: fifo})
	sim.Net.Default = looptest.Link{Delay: time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.2, Duplicate: 0.1}
	var trace strings.Builder
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		nd := sim.Net.Node(name)
		left := 20
		nd.Receive(func(from string, p []byte) {
			fmt.Fprintln(&trace, sim.Loop.Now(), from, name, string(p))
			if left--; left > 0 {
				for range 2 {
					nd.Send(names[sim.Rand.IntN(len(names))], fmt.Append(nil, name, left))
				}
			}
		})
		for i := range 3 {
			sim.Loop.Post(loop.Normal, func() { nd.Send(name, fmt.Append(nil, "start", i)) })
		}
	}
	sim.Run()
	return trace.String()
}

func TestSameSeedSameRun(t *testing.T) {
	runs := map[string]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		first := gossip(t, seed, false)
		if again := gossip(t, seed, false); again != first {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		runs[first] = true
	}
	if len(runs) != 20 {
		t.Errorf("20 seeds made %d different runs", len(runs))
	}
}

// An order that the program does not expect turns up in some seed.
func TestSeedsFindOrders(t *testing.T) {
	orders := func(fifo bool) int {
		seen := map[string]bool{}
		for seed := uint64(1); seed <= 100; seed++ {
			sim := looptest.New(t, &looptest.Options{Seed: seed, FIFO: fifo})
			var got strings.Builder
			for i := range 4 {
				sim.Loop.Post(loop.Normal, func() { fmt.Fprint(&got, i) })
			}
			sim.Run()
			seen[got.String()] = true
		}
		return len(seen)
	}
	if n := orders(false); n < 20 {
		t.Errorf("%d of 24 orders in 100 seeds", n)
	}
	if n := orders(true); n != 1 {
		t.Errorf("%d orders with FIFO", n)
	}
}

func TestFailureNamesTheSeed(t *testing.T) {
	tb := &fakeTB{TB: t}
	sim := looptest.New(tb, &looptest.Options{Seed: 77})
	sim.Loop.Go(loop.Normal, "waits", func(ctx context.Context) error {
		return sim.Loop.Suspend(ctx, func(func()) {})
	})
	sim.Run()
	for _, fn := range tb.cleanups {
		fn()
	}
	text := strings.Join(tb.said, "\n")
	if !tb.failed || !strings.Contains(text, loop.ErrStuck.Error()) || !strings.Contains(text, "-loop.seed=77") {
		t.Errorf("failed: %v, said:\n%s", tb.failed, text)
	}
}

func TestPartition(t *testing.T) {
	sim := looptest.New(t, nil)
	sim.Net.Default = looptest.Link{Delay: 10 * time.Millisecond}
	got := map[string]int{}
	for _, name := range []string{"a", "b", "c"} {
		sim.Net.Node(name).Receive(func(from string, p []byte) { got[from+name+string(p)]++ })
	}
	say := func(text string) {
		for _, to := range []string{"b", "c"} {
			sim.Net.Node("a").Send(to, []byte(text))
		}
	}
	say("0") // still on its way when the cut comes
	sim.Net.Partition([]string{"a", "b"})
	say("1")
	sim.Loop.After(time.Second, loop.Normal, func() { sim.Net.Heal(); say("2") })
	sim.Run()
	for key, want := range map[string]int{"ab0": 1, "ac0": 0, "ab1": 1, "ac1": 0, "ab2": 1, "ac2": 1} {
		if got[key] != want {
			t.Errorf("%s came %d times, want %d", key, got[key], want)
		}
	}
}

// transfer sends data from a to b on coroutines and returns what b read.
func transfer(sim *looptest.Sim, data []byte) (got []byte, sendErr, readErr error) {
	sim.Net.Node("b").Listen(func(s loop.Stream) {
		sim.Loop.Go(loop.Normal, "read", func(ctx context.Context) error {
			c := sim.Loop.ConnOf(s)
			got, readErr = io.ReadAll(c.Bind(ctx))
			return c.Close()
		})
	})
	sim.Net.Node("a").Dial("b", func(s loop.Stream, err error) {
		if err != nil {
			sendErr = err
			return
		}
		sim.Loop.Go(loop.Normal, "write", func(ctx context.Context) error {
			c := sim.Loop.ConnOf(s)
			_, sendErr = c.Write(ctx, data)
			return c.Close()
		})
	})
	sim.Run()
	return got, sendErr, readErr
}

func TestStream(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		sim := looptest.New(t, &looptest.Options{Seed: seed})
		sim.Net.Default = looptest.Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.3, Duplicate: 0.3, Window: 1000}
		data := make([]byte, 100_000)
		for i := range data {
			data[i] = byte(sim.Rand.Uint32())
		}
		for _, cut := range []time.Duration{time.Second, 3 * time.Second} {
			sim.Loop.After(cut, loop.Normal, func() { sim.Net.Partition([]string{"a"}) })
			sim.Loop.After(cut+time.Second, loop.Normal, sim.Net.Heal)
		}
		got, sendErr, readErr := transfer(sim, data)
		if sendErr != nil || readErr != nil || !bytes.Equal(got, data) {
			t.Fatalf("seed %d: got %d bytes of %d; %v, %v", seed, len(got), len(data), sendErr, readErr)
		}
	}
}

func TestBreak(t *testing.T) {
	sim := looptest.New(t, nil)
	sim.Net.Default = looptest.Link{Delay: time.Millisecond, Window: 100}
	sim.Loop.After(50*time.Millisecond, loop.Normal, func() { sim.Net.Break("a", "b") })
	got, sendErr, readErr := transfer(sim, make([]byte, 1<<20))
	if len(got) == 0 || !errors.Is(sendErr, syscall.ECONNRESET) || !errors.Is(readErr, syscall.ECONNRESET) {
		t.Errorf("got %d bytes; %v, %v", len(got), sendErr, readErr)
	}
}

func TestDialErrors(t *testing.T) {
	sim := looptest.New(t, nil)
	sim.Net.Partition([]string{"far"})
	a := sim.Net.Node("a")
	kinds := map[string]fault.Kind{}
	for _, to := range []string{"nobody", "far"} {
		a.Dial(to, func(_ loop.Stream, err error) { kinds[to] = fault.KindOf(err) })
	}
	sim.Run()
	if kinds["nobody"] != fault.Unavailable || kinds["far"] != fault.Timeout {
		t.Errorf("errors of kinds %v", kinds)
	}
}

// chatter sends a lot, more than the window, as a protocol.
type chatter struct {
	got, lost int
	size      int
	err       error
}

func (c *chatter) Made(t *loop.Transport)           { _, _ = t.Write(make([]byte, c.size)); t.CloseWrite() }
func (c *chatter) Data(_ *loop.Transport, p []byte) { c.got += len(p) }
func (c *chatter) EOF(*loop.Transport) bool         { return false }
func (c *chatter) Lost(_ *loop.Transport, err error) {
	c.lost++
	c.err = err
}

func TestProtocols(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		sim := looptest.New(t, &looptest.Options{Seed: seed})
		sim.Net.Default = looptest.Link{Delay: 5 * time.Millisecond, Loss: 0.1, Window: 5000}
		a, b := &chatter{size: 100_000}, &chatter{size: 70_000}
		sim.Net.Node("b").Listen(func(s loop.Stream) { sim.Loop.AttachStream(s, b, nil) })
		sim.Net.Node("a").Dial("b", func(s loop.Stream, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			sim.Loop.AttachStream(s, a, nil)
		})
		sim.Run()
		if a.got != b.size || b.got != a.size || a.lost != 1 || b.lost != 1 || a.err != nil || b.err != nil {
			t.Fatalf("seed %d: a %+v, b %+v", seed, a, b)
		}
	}
}

// The loop works in a bubble, where goroutines have virtual time too.
func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := looptest.New(t, nil)
		var slept time.Duration
		sim.Loop.Go(loop.Normal, "bridge", func(ctx context.Context) error {
			began := time.Now()
			_, err := loop.Await(ctx, func(context.Context) (int, error) {
				time.Sleep(time.Hour)
				return 0, nil
			})
			slept = time.Since(began)
			return err
		})
		sim.Run()
		if slept != time.Hour || sim.Loop.Now() != 0 {
			t.Errorf("the goroutine slept %v, the loop %v", slept, sim.Loop.Now())
		}
	})
}
