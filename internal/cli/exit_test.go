package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// fail returns an error of a kind.
func fail(kind fault.Kind) error { return fault.New("open", "p", kind, errors.New("cause")) }

// items returns the error of a run in which items failed.
func items(done int64, kinds ...fault.Kind) error {
	e := &bulk.ItemsError{Op: "copy", Summary: bulk.Summary{Done: done, Failed: int64(len(kinds))}}
	for _, k := range kinds {
		e.Summary.Errors = append(e.Summary.Errors, fail(k))
	}
	return e
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{fmt.Errorf("write: %w", errBrokenPipe), 0},
		{errors.New("unknown"), 1},
		{fail(fault.Permission), 1},
		{fail(fault.Corrupt), 1},
		{fail(fault.Changed), 1},
		{fail(fault.NoSpace), 1},
		{fail(fault.Internal), 1},
		{&usageError{msg: "x"}, 2},
		{fail(fault.Invalid), 2},
		{fail(fault.IsDir), 2},
		{items(1, fault.NotExist), 3},
		{items(1, fault.Unavailable), 3},
		{items(0, fault.NotExist, fault.Unavailable), 1},
		{items(0, fault.NotExist, fault.NotExist), 4},
		{items(0, fault.Unavailable), 6},
		{items(0, fault.Invalid), 1},
		{&partError{fail(fault.Unavailable)}, 3},
		{fail(fault.NotExist), 4},
		{fmt.Errorf("wrapped: %w", fail(fault.NotExist)), 4},
		{fail(fault.Refused), 5},
		{&quietError{fail(fault.Refused)}, 5},
		{fail(fault.Unavailable), 6},
		{fail(fault.Timeout), 6},
		{fail(fault.Throttled), 6},
	} {
		if got := exitCode(t.Context(), c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// A signal decides, whatever the command returned.
func TestExitCodeOfSignals(t *testing.T) {
	for sig, want := range map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(&signalError{sig})
		for _, err := range []error{nil, context.Cause(ctx), fail(fault.Canceled), items(3, fault.NotExist)} {
			if got := exitCode(ctx, err); got != want {
				t.Errorf("%v with %v: exit code %d, want %d", sig, err, got, want)
			}
		}
	}
}
