package task_test

import (
	"context"
	"errors"
	"testing"

	"github.com/leat-dev/leat/task"
)

func TestRunRunsEveryTask(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 7} {
		ran := make([]bool, 5000)
		err := task.Run(t.Context(), &task.Options{Limit: limit}, func(g *task.Group) error {
			for i := range ran {
				g.Go("", func(context.Context) error { ran[i] = true; return nil })
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, ok := range ran {
			if !ok {
				t.Fatalf("limit %d: task %d did not run", limit, i)
			}
		}
	}
}

func TestErrorsAreKeptWithPathAndLine(t *testing.T) {
	boom := errors.New("boom")
	err := task.Run(t.Context(), &task.Options{Name: "outer"}, func(g *task.Group) error {
		g.Go("a", func(ctx context.Context) error {
			return task.Run(ctx, nil, func(g *task.Group) error {
				g.Go("b", func(context.Context) error { return boom })
				return nil
			})
		})
		return nil
	})
	var errs task.Errors
	if !errors.As(err, &errs) || len(errs) != 1 || !errors.Is(err, boom) {
		t.Fatalf("got %#v", err)
	}
	inner := errs[0].Err.(task.Errors)[0]
	if inner.Path != "outer > a > b" || err.Error() != "outer > a > b: boom" {
		t.Errorf("path %q, message %q", inner.Path, err)
	}
	if want := "task_test.go:36"; len(inner.Spawned) < len(want) || inner.Spawned[len(inner.Spawned)-len(want):] != want {
		t.Errorf("spawned at %s, want %s", inner.Spawned, want)
	}
}
