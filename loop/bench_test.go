package loop_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
)

func benchLoop(b *testing.B) *loop.Loop {
	l := loop.New(nil)
	done := make(chan struct{})
	go func() { defer close(done); _ = l.Run(context.Background()) }() // ends below
	b.Cleanup(func() { l.Stop(); <-done })
	b.ReportAllocs()
	return l
}

// One post to a loop that sleeps, and a channel message back.
func BenchmarkRoundTripParked(b *testing.B) {
	l, back := benchLoop(b), make(chan struct{})
	reply := func() { back <- struct{}{} }
	for b.Loop() {
		l.Post(loop.Normal, reply)
		<-back
	}
}

func BenchmarkCall(b *testing.B) {
	l := benchLoop(b)
	for b.Loop() {
		_ = l.Call(b.Context(), loop.Normal, func() {})
	}
}

// Posts as fast as one goroutine can, the loop running them meanwhile.
func BenchmarkPostFlood(b *testing.B) {
	l, n := benchLoop(b), 0
	fn := func() { n++ }
	for b.Loop() {
		l.Post(loop.Normal, fn)
	}
	_ = l.Call(b.Context(), loop.Idle, func() {})
}

// Posts by the loop's own callbacks, as a state machine does.
func BenchmarkPostFromCallback(b *testing.B) {
	l, done := benchLoop(b), make(chan struct{})
	n := b.N
	var step func()
	step = func() {
		if n--; n <= 0 {
			close(done)
			return
		}
		l.Post(loop.Normal, step)
	}
	l.Post(loop.Normal, step)
	<-done
}

func BenchmarkTimerSetStop(b *testing.B) {
	l := benchLoop(b)
	for range 1000 {
		l.After(time.Hour, loop.Normal, func() {})
	}
	for b.Loop() {
		l.After(time.Minute, loop.Normal, func() {}).Stop()
	}
}

// With a million timers pending.
func BenchmarkTimersMillion(b *testing.B) {
	l := benchLoop(b)
	chance := rand.New(rand.NewPCG(1, 2))
	later := func() time.Duration { return time.Hour + time.Duration(chance.Int64N(int64(time.Hour))) }
	for range 1_000_000 {
		l.After(later(), loop.Normal, func() {})
	}
	for b.Loop() {
		l.After(later(), loop.Normal, func() {}).Stop()
	}
}
