package models

import (
	"errors"
	"iter"

	"github.com/leat-dev/leat/loop"
)

// Generators has the plain loop back without threads: a function that yields
// where it would wait, and a driver that resumes it when it can go on. Only
// the generator itself can yield, not a function that it calls: a helper that
// waits has to be a generator too, and so has each of its callers.
func Generators(l *loop.Loop, s loop.Stream, data []byte, compute func() bool) error {
	next, stop := iter.Pull(sender(s, data))
	idle(l, compute)
	step := func() {
		if _, waits := next(); !waits {
			stop()
			_ = s.Close()
		}
	}
	return s.OnWritable(step)
}

// sender yields whenever the socket has no room.
func sender(s loop.Stream, data []byte) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for len(data) > 0 {
			n, err := s.Write(data)
			data = data[n:]
			switch {
			case errors.Is(err, loop.ErrNotReady):
				if !yield(struct{}{}) {
					return
				}
			case err != nil:
				return
			}
		}
	}
}
