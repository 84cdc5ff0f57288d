package task

import (
	"context"
	"errors"
	"sync"
)

// ErrNotStarted is returned by [Start] when the task ended without an error
// and without having said that it was ready.
var ErrNotStarted = errors.New("the task ended before it was ready")

// Start starts fn in g, as [Group.GoLater] does, and waits until it says, by
// calling started, that it is ready: a server that listens, a connection that
// is open. It returns what started was given. fn goes on as a task of g.
//
// When fn ends before that, its failure is that of Start and not of the
// group. Until then fn is cancelled as well when ctx, that of the caller,
// ends; Start waits for it all the same. Later calls of started do nothing.
// As the caller waits, it must not hold the last free slot of g's limit.
//
//go:noinline
func Start[T any](ctx context.Context, g *Group, name string, fn func(ctx context.Context, started func(T)) error) (T, error) {
	s := &starting[T]{parent: ctx}
	g.start(name, func(ctx context.Context) error { return s.run(ctx, fn) }, callerPC())
	// Until it has begun, a task may be dropped without a word.
	either, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.Context(), func() { cancel(context.Cause(g.Context())) })()
	if err := await(either, s.onSettled); err != nil && s.giveUp() {
		var zero T
		return zero, err
	}
	if err := await(context.WithoutCancel(ctx), s.onSettled); err != nil { // the host ends
		var zero T
		return zero, err
	}
	return s.value, s.err
}

// starting is a task that is not ready yet.
type starting[T any] struct {
	parent context.Context

	mu      sync.Mutex
	begun   bool
	givenUp bool
	settled bool
	value   T
	err     error
	wake    func()
}

func (s *starting[T]) onSettled(wake func()) {
	s.mu.Lock()
	settled := s.settled
	s.wake = wake
	s.mu.Unlock()
	if settled {
		wake()
	}
}

// giveUp reports whether the task has not begun, and keeps it from that.
func (s *starting[T]) giveUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.givenUp = !s.begun
	return s.givenUp
}

// begin reports whether the task is still wanted.
func (s *starting[T]) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = !s.givenUp
	return s.begun
}

// settle tells the starter, and reports whether nobody had.
func (s *starting[T]) settle(v T, err error) bool {
	s.mu.Lock()
	if s.settled {
		s.mu.Unlock()
		return false
	}
	s.settled, s.value, s.err = true, v, err
	wake := s.wake
	s.mu.Unlock()
	if wake != nil {
		wake()
	}
	return true
}

func (s *starting[T]) run(ctx context.Context, fn func(context.Context, func(T)) error) error {
	if !s.begin() {
		return nil
	}
	var zero T
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unlink := context.AfterFunc(s.parent, func() { cancel(context.Cause(s.parent)) })
	defer unlink()
	defer func() { s.settle(zero, ErrNotStarted) }() // after a panic or Goexit, which the group reports
	err := fn(ctx, func(v T) {
		unlink()
		s.settle(v, nil)
	})
	told := err
	if told == nil {
		told = ErrNotStarted
	}
	if s.settle(zero, told) {
		return nil
	}
	return err
}
