package task

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A Cancellation is the cause of a [Scope] that was cancelled: who did it,
// where, and why.
type Cancellation struct {
	// Scope is the name of the scope.
	Scope string
	// Reason is what was given to [Scope.Cancel]. It may be nil.
	Reason error
	// By is the path of the task that called it; empty outside of tasks.
	By string
	// At is the file and line of the call.
	At string
}

// Error returns what is known.
func (c *Cancellation) Error() string {
	var b strings.Builder
	b.WriteString("cancelled")
	if c.Scope != "" {
		b.WriteString(" scope " + c.Scope)
	}
	if c.By != "" {
		b.WriteString(" by " + c.By)
	}
	if c.At != "" {
		b.WriteString(" at " + c.At)
	}
	if c.Reason != nil {
		b.WriteString(": " + c.Reason.Error())
	}
	return b.String()
}

// Unwrap returns the reason.
func (c *Cancellation) Unwrap() error { return c.Reason }

// A TimeoutError is the cause of a [Scope] whose deadline has passed. In
// [errors.Is] it is [context.DeadlineExceeded].
type TimeoutError struct {
	// Scope is the name of the scope.
	Scope string
	// Deadline is what has passed.
	Deadline time.Time
	// At is the file and line that made the scope.
	At string

	by *Scope
}

// Error names the scope and its place.
func (e *TimeoutError) Error() string {
	text := "deadline exceeded"
	if e.Scope != "" {
		text = e.Scope + ": " + text
	}
	if e.At != "" {
		text += " in the scope of " + e.At
	}
	return text
}

// Timeout returns true, as the net package has it.
func (e *TimeoutError) Timeout() bool { return true }

// Unwrap returns [context.DeadlineExceeded].
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// Within calls fn in a scope that ends after d. If fn fails because of that,
// the error is a [*TimeoutError]; another error is returned as it is. A value
// that fn has come to in spite of the deadline counts: Within waits for fn,
// and nil is nil.
//
//go:noinline
func Within(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	late, err := within(ctx, d, callerPC(), fn)
	if late != nil {
		return late
	}
	return err
}

// MoveOn is [Within] for work that may be left undone: it reports whether the
// deadline ended fn instead of an error.
//
//go:noinline
func MoveOn(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) (late bool, err error) {
	timeout, err := within(ctx, d, callerPC(), fn)
	if timeout != nil {
		return true, nil
	}
	return false, err
}

// within returns the error of fn, and the timeout if that is the reason.
func within(ctx context.Context, d time.Duration, pc uintptr, fn func(ctx context.Context) error) (late *TimeoutError, err error) {
	s := newScope(ctx, nil, pc)
	defer s.Close()
	s.setDeadline(now(ctx).Add(d))
	if err = fn(s); err == nil || !echoes(s, err) {
		return nil, err
	}
	if errors.As(context.Cause(s), &late) && late.by == s {
		return late, err
	}
	return nil, err
}

// Shield calls fn in a scope that the end of ctx does not reach, for at most
// d: to bring to an end what must not be left half done.
//
//go:noinline
func Shield(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	s := newScope(ctx, &ScopeOptions{Shield: true, Timeout: d}, callerPC())
	defer s.Close()
	return fn(s)
}
