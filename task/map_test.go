package task_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// count yields 0 to n-1 and then err unless that is nil.
func count(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestMapOrderAndConcurrency(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) {
		for _, ordered := range []bool{true, false} {
			start, running, peak := time.Now(), make(chan struct{}, 100), 0
			var got []int
			opts := &task.MapOptions{Limit: 10, Ordered: ordered}
			for v, err := range task.Map(ctx, count(100, nil), opts, func(ctx context.Context, i int) (int, error) {
				running <- struct{}{}
				_ = loop.Sleep(ctx, time.Duration(1+i%2)*time.Second) // odd ones are slower
				<-running
				return i * i, nil
			}) {
				peak = max(peak, len(running))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
			}
			want := make([]int, 100)
			for i := range want {
				want[i] = i * i
			}
			if sorted := slices.IsSorted(got); sorted != ordered {
				t.Errorf("ordered %v: got %v", ordered, got)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("ordered %v: got %v", ordered, got)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("ordered %v: 150 s of work, 10 at once, took %v", ordered, took)
			}
			if peak > 10 {
				t.Errorf("%d calls at once", peak)
			}
		}
	})
}

func TestMapErrors(t *testing.T) {
	bad, end := errors.New("bad"), errors.New("end of the listing")
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) {
		for _, ordered := range []bool{true, false} {
			var fails, oks int
			var last error
			for _, err := range task.Map(ctx, count(1000, end), &task.MapOptions{Ordered: ordered}, func(_ context.Context, i int) (int, error) {
				if i%3 == 0 {
					return i, bad
				}
				return i, nil
			}) {
				last = err
				if err == bad {
					fails++
				} else if err == nil {
					oks++
				}
			}
			if fails != 334 || oks != 666 || last != end {
				t.Errorf("ordered %v: %d failed, %d well, last error %v", ordered, fails, oks, last)
			}
		}
	})
}

func TestMapBreakWaits(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) { // fails when a goroutine is left
		begun := 0
		opts := &task.MapOptions{Limit: 4, Window: 4}
		done := make(chan struct{}, 100)
		for range task.Map(ctx, count(100, nil), opts, func(ctx context.Context, i int) (int, error) {
			done <- struct{}{}
			if i > 0 {
				_ = loop.Sleep(ctx, time.Hour)
			}
			done <- struct{}{}
			return i, ctx.Err()
		}) {
			break
		}
		for len(done) > 0 {
			<-done
			begun++
		}
		if begun%2 != 0 || begun == 0 {
			t.Errorf("%d begins and ends", begun)
		}
	})
}

func TestMapCancelYieldsEveryInputOnce(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) {
		for _, ordered := range []bool{true, false} {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			why := errors.New("why")
			taken := 0
			in := func(yield func(int, error) bool) {
				for i := 0; ctx.Err() == nil; i++ {
					taken++
					if !yield(i, nil) {
						return
					}
				}
			}
			n, last := 0, error(nil)
			for v, err := range task.Map(ctx, in, &task.MapOptions{Limit: 3, Ordered: ordered}, func(_ context.Context, i int) (int, error) { return i, nil }) {
				if n++; n == 50 {
					cancel(why)
				}
				_, last = v, err
			}
			if n != taken+1 || !errors.Is(last, why) || !errors.Is(last, context.Canceled) {
				t.Errorf("ordered %v: %d inputs taken, %d pairs, last error %v", ordered, taken, n, last)
			}
		}
	})
}

func TestMapPanic(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, ctx context.Context) {
		defer func() {
			var p *task.PanicError
			if err, _ := recover().(error); !errors.As(err, &p) || p.Value != "oops" {
				t.Errorf("recovered %v", err)
			}
		}()
		for range task.Map(ctx, count(100, nil), nil, func(_ context.Context, i int) (int, error) {
			if i == 50 {
				panic("oops")
			}
			return i, nil
		}) {
			continue
		}
		t.Error("no panic")
	})
}
