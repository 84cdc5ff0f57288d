package task_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// A model is a way in which tasks are run. The functions of package loop that
// wait work in both.
type model struct {
	name string
	// run calls fn and returns its error when all it started has ended.
	run func(t testing.TB, fn func(ctx context.Context) error) error
}

var models = []model{
	{"goroutine", func(t testing.TB, fn func(ctx context.Context) error) error { return fn(t.Context()) }},
	{"loop", func(t testing.TB, fn func(ctx context.Context) error) error { return runOnLoop(t, nil, fn) }},
}

// runOnLoop calls fn on a coroutine of a new loop.
func runOnLoop(t testing.TB, opts *loop.Options, fn func(ctx context.Context) error) error {
	t.Helper()
	var result error
	l := loop.New(opts)
	l.Go(loop.Normal, "", func(ctx context.Context) error {
		defer l.Stop()
		result = fn(ctx)
		return nil
	})
	if err := l.Run(t.Context()); err != nil {
		var e *task.TaskError // fn called Goexit
		if !errors.As(err, &e) {
			t.Error(err)
		}
		return err
	}
	return result
}

// onBoth runs a test in both models.
func onBoth(t *testing.T, test func(t *testing.T, m model)) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}

// onBothInBubbles is onBoth for tests that are about time or goroutines.
func onBothInBubbles(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	onBoth(t, func(t *testing.T, m model) {
		synctest.Test(t, func(t *testing.T) {
			_ = m.run(t, func(ctx context.Context) error { test(t, ctx); return nil })
		})
	})
}

// onBothHere is onBoth for tests that need nothing but a context.
func onBothHere(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	onBoth(t, func(t *testing.T, m model) {
		_ = m.run(t, func(ctx context.Context) error { test(t, ctx); return nil })
	})
}
