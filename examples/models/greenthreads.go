package models

import (
	"context"

	"github.com/leat-dev/leat/loop"
)

// GreenThreads brings the plain code back: each thing is a thread that the
// program itself switches, at known places, so there are no locks. Threads
// are equal, though: the one that computes gets its turns, by yielding, also
// while the socket has room, and with n such threads the sender waits for n
// slices.
func GreenThreads(l *loop.Loop, s loop.Stream, data []byte, computes ...func() bool) {
	l.Go(loop.Normal, "send", func(ctx context.Context) error {
		c := l.ConnOf(s)
		defer c.Close()
		_, err := c.Write(ctx, data)
		return err
	})
	for _, compute := range computes {
		l.Go(loop.Normal, "compute", func(ctx context.Context) error {
			for compute() {
				if err := loop.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
