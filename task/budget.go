package task

import (
	"container/list"
	"context"
	"fmt"
	"strconv"
	"sync"
)

// A Budget bounds how much of something is in use at once: requests in
// flight, bytes in memory. Who waits is served first come, first served, so
// that a large claim is not overtaken for ever by small ones. It is safe for
// concurrent use; make it with [NewBudget].
//
// Never hold a share of a budget while acquiring more of the same one:
// holders that all wait for more wait for ever.
type Budget struct {
	mu      sync.Mutex
	size    int64
	inUse   int64
	waiters list.List // of *waiter
}

// A waiter is removed from the list before ready is closed.
type waiter struct {
	n     int64
	err   error
	ready chan struct{}
	wake  func() // of a coroutine, or nil
}

// NewBudget returns a budget of n units. It panics if n is not positive.
func NewBudget(n int64) *Budget {
	b := &Budget{}
	b.resize(n)
	return b
}

// Acquire takes n units, waiting until they are free. It returns the error
// of ctx or a [*CancelError] if ctx ends first, or an error at once if n is more than the whole
// budget; then nothing is taken. n must not be negative.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	checkUnits(n)
	if ctx.Err() != nil {
		return ended(ctx)
	}
	b.mu.Lock()
	if b.take(n) {
		b.mu.Unlock()
		return nil
	}
	if n > b.size {
		defer b.mu.Unlock()
		return tooLarge(n, b.size)
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	what := b.waitsFor(n)
	if h := stackHost(ctx); h != nil {
		b.mu.Unlock()
		defer Waiting(ctx, what).Done()
		return b.suspend(ctx, h, w)
	}
	e := b.waiters.PushBack(w)
	b.mu.Unlock()
	defer Waiting(ctx, what).Done()
	select {
	case <-w.ready:
		return w.err
	case <-ctx.Done():
		return b.leave(ctx, e, w)
	}
}

// waitsFor is for [Waiting]; the lock is held.
func (b *Budget) waitsFor(n int64) string {
	if b == requests {
		return strconv.FormatInt(n, 10) + " of the " + strconv.FormatInt(b.size, 10) + " requests in flight"
	}
	return strconv.FormatInt(n, 10) + " of a budget of " + strconv.FormatInt(b.size, 10)
}

// suspend waits on a coroutine.
func (b *Budget) suspend(ctx context.Context, h Host, w *waiter) error {
	var e *list.Element
	err := h.Suspend(ctx, func(wake func()) {
		b.mu.Lock()
		defer b.mu.Unlock()
		w.wake = wake
		e = b.waiters.PushBack(w)
		b.grant() // a share may have come back meanwhile
	})
	if err == nil {
		return w.err
	}
	if e != nil {
		if err := b.leave(ctx, e, w); err != nil {
			return err
		}
	}
	return err // ctx had ended, or the host ends
}

// leave takes a waiter out of the line, or gives back what it was granted in
// the same moment.
func (b *Budget) leave(ctx context.Context, e *list.Element, w *waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.ready:
		if w.err != nil {
			return w.err
		}
		b.inUse -= w.n
	default:
		b.waiters.Remove(e)
	}
	b.grant() // those behind may fit now
	return ended(ctx)
}

// TryAcquire takes n units if they are free and nobody waits. It does not
// block. n must not be negative.
func (b *Budget) TryAcquire(n int64) bool {
	checkUnits(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(n)
}

// Release gives n units back. It panics if more is given back than was
// taken.
func (b *Budget) Release(n int64) {
	checkUnits(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.inUse {
		panic(fmt.Sprintf("task: Budget.Release(%d) with %d in use", n, b.inUse))
	}
	b.inUse -= n
	b.grant()
}

// Size returns the number of units the budget has.
func (b *Budget) Size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

// InUse returns the number of units taken. After the budget was made smaller
// it may be above [Budget.Size] for a while.
func (b *Budget) InUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inUse
}

// take takes n units without waiting; the lock is held.
func (b *Budget) take(n int64) bool {
	if b.waiters.Len() > 0 || n > b.size-b.inUse {
		return false
	}
	b.inUse += n
	return true
}

// grant serves the line from its head for as long as the head fits; the lock
// is held.
func (b *Budget) grant() {
	for e := b.waiters.Front(); e != nil; e = b.waiters.Front() {
		w := e.Value.(*waiter)
		switch {
		case w.n > b.size:
			w.err = tooLarge(w.n, b.size)
		case w.n > b.size-b.inUse:
			return
		default:
			b.inUse += w.n
		}
		b.waiters.Remove(e)
		close(w.ready)
		if w.wake != nil {
			w.wake()
		}
	}
}

func (b *Budget) resize(n int64) {
	if n <= 0 {
		panic(fmt.Sprintf("task: a budget of %d units; it must be positive", n))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size = n
	b.grant()
}

func checkUnits(n int64) {
	if n < 0 {
		panic(fmt.Sprintf("task: %d units of a budget", n))
	}
}

func tooLarge(n, size int64) error {
	return fmt.Errorf("%d units wanted of a budget of %d", n, size)
}

// defaultRequests is the size of [Requests] unless it is set: enough to hide
// 50 ms of latency at 20,000 requests a second, and well below the usual
// limit on open files.
const defaultRequests = 1024

var requests = NewBudget(defaultRequests)

// Requests returns the budget of requests in flight that the whole process
// shares. Whoever sends a request over a network holds one unit of it until
// the answer has been read or given up. The default is 1,024.
func Requests() *Budget { return requests }

// SetRequests changes the size of [Requests]. Requests in flight are not
// interrupted when it becomes smaller. It panics if n is not positive.
func SetRequests(n int64) { requests.resize(n) }
