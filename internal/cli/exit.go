package cli

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// The exit codes. They are a contract; unknown ones are failures.
const (
	exitDone      = 0 // done; also "nothing matched" in a listing
	exitFailed    = 1 // failed
	exitUsage     = 2 // usage: nothing was done
	exitPartly    = 3 // some items failed, others did not
	exitNotExist  = 4 // the named source does not exist
	exitRefused   = 5 // refused by a guard
	exitTemporary = 6 // unreachable after retries
	exitSignal    = 128
)

// A usageError is a command line that cannot be right.
type usageError struct {
	msg  string
	hint string
}

func (e *usageError) Error() string { return e.msg }

// A partError is what ended a run early after some of its items were done.
type partError struct{ err error }

func (e *partError) Error() string { return e.err.Error() }
func (e *partError) Unwrap() error { return e.err }

// A signalError is the cause of a context that a signal ended.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string {
	if e.sig == os.Interrupt {
		return "interrupted"
	}
	return e.sig.String() // "terminated"
}

// A quietError has been reported already.
type quietError struct{ err error }

func (e *quietError) Error() string { return e.err.Error() }
func (e *quietError) Unwrap() error { return e.err }

// exitCode turns what a command returned into the exit code.
func exitCode(ctx context.Context, err error) int {
	if sig := (*signalError)(nil); errors.As(context.Cause(ctx), &sig) || errors.As(err, &sig) {
		if n, ok := sig.sig.(syscall.Signal); ok {
			return exitSignal + int(n)
		}
		return exitSignal + 2
	}
	var (
		usage *usageError
		part  *partError
		items *bulk.ItemsError
	)
	switch {
	case err == nil, isBrokenPipe(err):
		return exitDone
	case errors.As(err, &items): // which may hold errors of usage, of lines of run
		return itemsCode(&items.Summary)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &part):
		return exitPartly
	}
	switch kind := fault.KindOf(err); kind {
	case fault.Invalid, fault.IsDir:
		return exitUsage // found while planning: nothing was done
	default:
		return kindCode(kind)
	}
}

// itemsCode is the code of a run in which items failed. When nothing was
// done, and every error that was kept says the same, it is that of the error.
func itemsCode(sum *bulk.Summary) int {
	if sum.Done > 0 || sum.Skipped > 0 {
		return exitPartly
	}
	code := exitFailed
	for i, err := range sum.Errors {
		c := kindCode(fault.KindOf(err))
		if i > 0 && c != code {
			return exitFailed
		}
		code = c
	}
	return code
}

func kindCode(kind fault.Kind) int {
	switch {
	case kind == fault.NotExist:
		return exitNotExist
	case kind == fault.Refused:
		return exitRefused
	case kind.Temporary():
		return exitTemporary
	}
	return exitFailed
}

// errBrokenPipe says that nobody reads standard output any more.
var errBrokenPipe = errors.New("standard output was closed")

func isBrokenPipe(err error) bool { return errors.Is(err, errBrokenPipe) }
