package fault

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// A Kind answers the question "what can the caller do?". The numbers travel
// between versions: append only.
type Kind uint8

// The kinds.
const (
	None         Kind = 0  // no error
	Unknown      Kind = 1  // nothing is known; not retried
	NotExist     Kind = 2  // the named thing is not there
	Exist        Kind = 3  // it is there already
	Permission   Kind = 4  // refused: credentials or rights
	Invalid      Kind = 5  // the request cannot be right; change it
	Unsupported  Kind = 6  // this back end cannot do it
	Changed      Kind = 7  // the thing is not the version asked for
	Throttled    Kind = 8  // slow down, then retry
	Unavailable  Kind = 9  // the other side cannot be reached or broke off; retry
	Timeout      Kind = 10 // no answer in time; retry
	Canceled     Kind = 11 // the caller gave up
	Corrupt      Kind = 12 // bytes arrived, but not the right ones
	NoSpace      Kind = 13 // disk, quota or memory budget is full
	IsDir        Kind = 14 // a directory where an object was wanted
	UserError    Kind = 15 // the user's function or command failed
	WorkerLost   Kind = 16 // the worker that held it is gone
	MissingInput Kind = 17 // an input of a computation is nowhere
	Refused      Kind = 18 // a guard of ours said no
	Internal     Kind = 19 // a broken invariant: a defect of leat
)

var kindNames = [...]string{
	None: "no error", Unknown: "unknown error", NotExist: "does not exist",
	Exist: "already exists", Permission: "permission denied",
	Invalid: "invalid request", Unsupported: "not supported",
	Changed: "changed meanwhile", Throttled: "throttled",
	Unavailable: "unavailable", Timeout: "timed out", Canceled: "canceled",
	Corrupt: "corrupt data", NoSpace: "no space left", IsDir: "is a directory",
	UserError: "task failed", WorkerLost: "worker lost",
	MissingInput: "missing input", Refused: "refused", Internal: "internal error",
}

// String returns the kind in a few lower-case words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown error"
}

// Temporary reports whether the same request may well succeed later, so that
// retrying an idempotent operation makes sense.
func (k Kind) Temporary() bool {
	switch k {
	case Throttled, Unavailable, Timeout, WorkerLost:
		return true
	}
	return false
}

// sentinel returns the error of the standard library that stands for k, or
// nil where there is none.
func (k Kind) sentinel() error {
	switch k {
	case NotExist:
		return fs.ErrNotExist
	case Exist:
		return fs.ErrExist
	case Permission:
		return fs.ErrPermission
	case Invalid:
		return fs.ErrInvalid
	case Unsupported:
		return errors.ErrUnsupported
	case Timeout:
		return os.ErrDeadlineExceeded
	case Canceled:
		return context.Canceled
	}
	return nil
}
