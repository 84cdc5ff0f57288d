package limitfs

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/time/rate"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// A Rate bounds bytes a second over all who share it. It is safe for
// concurrent use; make it with [NewRate].
type Rate struct{ l *rate.Limiter }

// NewRate returns a rate of so many bytes a second. After a pause burst bytes
// may pass at once; it also is the largest piece that one call moves. It
// panics if one of them is not positive.
func NewRate(bytesPerSecond, burst int64) *Rate {
	if bytesPerSecond <= 0 || burst <= 0 {
		panic(fmt.Sprintf("limitfs: a rate of %d bytes a second, %d at once; both must be positive", bytesPerSecond, burst))
	}
	return &Rate{rate.NewLimiter(rate.Limit(bytesPerSecond), int(burst))}
}

// wait lets n bytes pass; n is at most the burst. A nil rate has no bound.
func (r *Rate) wait(ctx context.Context, op, path string, n int) error {
	if r == nil {
		return nil
	}
	task.Detach(ctx)
	err := r.l.WaitN(ctx, n)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.New(op, path, fault.KindOf(ctx.Err()), context.Cause(ctx))
	}
	// It tells at once when the deadline would pass before its turn.
	return fault.New(op, path, fault.Timeout, fmt.Errorf("the rate limit is longer than the time left: %w", os.ErrDeadlineExceeded))
}
