package loop

import "time"

// A Clock is where a loop takes its time from, see [Options.Clock]. Its
// methods are called on the loop's goroutine, and Now also by [Loop.After]
// on that of the caller.
type Clock interface {
	// Now returns the time since some fixed moment. It never goes back.
	Now() time.Duration
	// Skip lets the time be at least to. The loop calls it when it has
	// nothing to do before that.
	Skip(to time.Duration)
}

// never is a deadline that does not come.
const never = time.Duration(1<<63 - 1)

// now returns the loop's time. It is monotonic: a change of the machine's
// clock does not move it.
func (l *Loop) now() time.Duration {
	if l.clock != nil {
		return l.clock.Now()
	}
	return time.Since(l.base)
}

// Now returns the time of the loop's clock. Without [Options.Clock] that is
// the time since [New], monotonic.
func (l *Loop) Now() time.Duration { return l.now() }

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)
