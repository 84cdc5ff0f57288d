package task

import (
	"context"
	"reflect"
)

// A CancelError says that something was not done, or not to its end, because
// its context ended for a reason of its own, such as the failure of another
// task. In [errors.Is] it stands for the cancellation and for the reason
// itself, but not for what the reason wraps: that another task found
// something absent must not read as if this one had.
type CancelError struct {
	// Err is [context.Canceled] or [context.DeadlineExceeded].
	Err error
	// Cause is the reason, as [context.Cause] has it.
	Cause error
}

// Error returns both.
func (e *CancelError) Error() string { return e.Err.Error() + " (" + e.Cause.Error() + ")" }

// Unwrap returns Err.
func (e *CancelError) Unwrap() error { return e.Err }

// Is reports whether target is the reason itself.
func (e *CancelError) Is(target error) bool { return same(e.Cause, target) }

// ended returns what to report for a context that has ended: its error, with
// the reason if there is one. It returns nil if ctx goes on.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !same(cause, err) {
		return &CancelError{Err: err, Cause: cause}
	}
	return err
}

// echoes reports whether err says nothing but that ctx has ended: it is the
// error of ctx or its cause, also wrapped, and everything it joins is.
func echoes(ctx context.Context, err error) bool {
	ctxErr := ctx.Err()
	return ctxErr != nil && consistsOf(err, ctxErr, context.Cause(ctx))
}

func consistsOf(err, ctxErr, cause error) bool {
	if same(err, ctxErr) || same(err, cause) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if !consistsOf(err, ctxErr, cause) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil && consistsOf(inner, ctxErr, cause) {
			return true
		}
	}
	is, ok := err.(interface{ Is(error) bool })
	return ok && is.Is(ctxErr)
}

// same compares errors that may be of types that cannot be compared.
func same(a, b error) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && a == b
}
