package task_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/task"
)

var budgetSeed = flag.Uint64("budget.seed", 0, "seed of the random budget test; 0 picks one")

func TestBudgetIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := task.NewBudget(10)
		if err := b.Acquire(t.Context(), 8); err != nil {
			t.Fatal(err)
		}
		served := make(chan int64, 4)
		var wg sync.WaitGroup
		for _, n := range []int64{9, 1, 2, 10} { // the large first one holds up the small ones
			wg.Go(func() {
				if err := b.Acquire(t.Context(), n); err != nil {
					t.Error(err)
				}
				served <- n
				time.Sleep(time.Second)
				b.Release(n)
			})
			synctest.Wait()
			if b.TryAcquire(1) {
				t.Error("TryAcquire went before those that wait")
			}
		}
		if b.InUse() != 8 || b.Size() != 10 {
			t.Errorf("%d of %d in use", b.InUse(), b.Size())
		}
		b.Release(8)
		wg.Wait()
		order := []int64{<-served, <-served, <-served, <-served}
		slices.Sort(order[:2]) // 9 and 1 fit together
		if !slices.Equal(order, []int64{1, 9, 2, 10}) {
			t.Errorf("served %v", order)
		}
		if b.InUse() != 0 {
			t.Errorf("%d in use at the end", b.InUse())
		}
	})
}

func TestBudgetCancelLetsTheNextIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := task.NewBudget(10)
		_ = b.Acquire(t.Context(), 5)
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		big, small := make(chan error, 1), make(chan error, 1)
		go func() { big <- b.Acquire(ctx, 6) }() // both end below
		synctest.Wait()
		go func() { small <- b.Acquire(t.Context(), 5) }()
		synctest.Wait()
		cancel(why)
		if err := <-big; !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Errorf("big: %v", err)
		}
		if err := <-small; err != nil {
			t.Errorf("small: %v", err)
		}
		if err := b.Acquire(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire with an ended context: %v", err)
		}
		if b.InUse() != 10 {
			t.Errorf("%d in use", b.InUse())
		}
	})
}

func TestBudgetRefusesWhatCanNeverFit(t *testing.T) {
	b := task.NewBudget(10)
	if err := b.Acquire(t.Context(), 11); err == nil || err.Error() != "11 units wanted of a budget of 10" {
		t.Errorf("error %v", err)
	}
	for _, f := range []func(){
		func() { b.Release(1) },
		func() { _ = b.Acquire(t.Context(), -1) },
		func() { b.TryAcquire(-1) },
		func() { task.NewBudget(0) },
		func() { task.SetRequests(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}

func TestSetRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := task.Requests()
		was := r.Size()
		defer task.SetRequests(was)
		task.SetRequests(2)
		_ = r.Acquire(t.Context(), 2)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- r.Acquire(t.Context(), 2) }() // both end below
		synctest.Wait()
		go func() { second <- r.Acquire(t.Context(), 1) }()
		synctest.Wait()
		task.SetRequests(1) // the first can never be served now
		if r.InUse() != 2 || r.Size() != 1 {
			t.Errorf("%d of %d in use", r.InUse(), r.Size())
		}
		r.Release(2)
		if err := <-first; err == nil {
			t.Error("2 of 1 were granted")
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		r.Release(1)
	})
}

// Random claims, some given up: never more in use than there is, nobody
// waits for ever, and nothing is lost.
func TestBudgetStress(t *testing.T) {
	seed := *budgetSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-budget.seed=%d", seed)
	const size = 20
	b := task.NewBudget(size)
	var inUse, served atomic.Int64
	var wg sync.WaitGroup
	for w := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, w))
		wg.Go(func() {
			for range 2000 {
				ctx, cancel := context.WithCancel(context.Background())
				if r.IntN(3) == 0 {
					wg.Go(cancel)
				}
				n := 1 + r.Int64N(size)
				if b.Acquire(ctx, n) == nil {
					served.Add(1)
					if now := inUse.Add(n); now > size {
						t.Errorf("%d of %d in use", now, size)
					}
					inUse.Add(-n)
					b.Release(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if b.InUse() != 0 || served.Load() < 16*2000/2 || !b.TryAcquire(size) {
		t.Errorf("%d in use, %d served", b.InUse(), served.Load())
	}
}

func BenchmarkBudget(b *testing.B) {
	budget, ctx := task.NewBudget(10), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = budget.Acquire(ctx, 1)
		budget.Release(1)
	}
}
