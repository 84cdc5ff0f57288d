package archive

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
)

// Recheck is how long a table is used before the store is asked whether the
// object has changed. A read notices at once, as it names the version.
const Recheck = 5 * time.Second

// An Origin is what a table was made of, a [Source] say.
type Origin interface {
	// Same asks whether it is still the one that the table was made of. One
	// that has gone is not.
	Same(ctx context.Context) (bool, error)
}

// Held keeps what was made of an object: its table of contents. It makes it
// again when the object has changed. It is safe for concurrent use.
type Held[T any] struct {
	load func(ctx context.Context) (T, Origin, error)
	drop func(T)

	mu       sync.Mutex
	now      T
	src      Origin // nil when there is nothing
	checked  time.Time
	checking bool
	closed   bool
}

// Hold calls load for the first time. drop, which may be nil, is called with
// what is no longer held; operations may still be using it.
func Hold[T any](ctx context.Context, load func(ctx context.Context) (T, Origin, error), drop func(T)) (*Held[T], error) {
	h := &Held[T]{load: load, drop: drop}
	v, src, err := load(ctx)
	if err != nil {
		return nil, err
	}
	h.now, h.src, h.checked = v, src, time.Now()
	return h, nil
}

// Get begins an operation on path: it returns the table, or an error where
// ctx has ended, the file system is closed, or the table cannot be made
// again. An object that has gone is [fault.Changed], not an absent path.
func (h *Held[T]) Get(ctx context.Context, op, path string) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	h.mu.Lock()
	v, src, closed := h.now, h.src, h.closed
	check := src != nil && !h.checking && time.Since(h.checked) >= Recheck
	h.checking = h.checking || check
	h.mu.Unlock()
	switch {
	case closed:
		return none, fault.New(op, path, fault.Invalid, errors.New("the file system is closed"))
	case check:
		same, err := h.check(ctx, src)
		if err != nil {
			return none, fault.New(op, path, fault.Unknown, err)
		}
		if same {
			return v, nil
		}
	case src != nil:
		return v, nil
	}
	v, src, err := h.load(ctx) // several callers may, after a change; the last stays
	if fault.KindOf(err) == fault.NotExist {
		return none, fault.New(op, path, fault.Changed, errors.New("what holds it has been removed"))
	} else if err != nil {
		return none, fault.New(op, path, fault.Unknown, err)
	}
	h.set(v, src)
	return v, nil
}

// check asks the store, and forgets what has changed.
func (h *Held[T]) check(ctx context.Context, src Origin) (same bool, err error) {
	same, err = src.Same(ctx)
	h.mu.Lock()
	h.checking = false
	if err == nil {
		h.checked = time.Now()
	}
	h.mu.Unlock()
	if err == nil && !same {
		h.forget(src)
	}
	return same, err
}

func (h *Held[T]) set(v T, src Origin) {
	h.mu.Lock()
	old, had := h.now, h.src != nil
	if !h.closed {
		h.now, h.src, h.checked = v, src, time.Now()
	}
	closed := h.closed
	h.mu.Unlock()
	if closed {
		old, had = v, true
	}
	if had && h.drop != nil {
		h.drop(old)
	}
}

// Noticed takes note of an error of a read: after [fault.Changed] the next
// operation makes the table again, unless that has happened already.
func (h *Held[T]) Noticed(src Origin, err error) {
	if fault.KindOf(err) == fault.Changed {
		h.forget(src)
	}
}

func (h *Held[T]) forget(src Origin) {
	h.mu.Lock()
	if h.src != src || src == nil {
		h.mu.Unlock()
		return
	}
	old := h.now
	var none T
	h.now, h.src = none, nil
	h.mu.Unlock()
	if h.drop != nil {
		h.drop(old)
	}
}

// Close makes every later Get fail.
func (h *Held[T]) Close() error {
	h.mu.Lock()
	src := h.src
	h.closed = true
	h.mu.Unlock()
	h.forget(src)
	return nil
}
