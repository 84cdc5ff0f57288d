package models

import (
	"context"

	"github.com/leat-dev/leat/loop"
)

// Coroutines is [GreenThreads] with priorities: plain code, no locks, and the
// loop gives the one that computes a turn only when no other can run. Any
// function can wait, however deep in the stack.
func Coroutines(l *loop.Loop, s loop.Stream, data []byte, computes ...func() bool) {
	l.Go(loop.IO, "send", func(ctx context.Context) error {
		c := l.ConnOf(s)
		defer c.Close()
		_, err := c.Write(ctx, data)
		return err
	})
	for _, compute := range computes {
		l.Go(loop.Idle, "compute", func(ctx context.Context) error {
			for {
				if err := loop.Yield(ctx); err != nil {
					return err
				}
				if !compute() {
					return nil
				}
			}
		})
	}
}
