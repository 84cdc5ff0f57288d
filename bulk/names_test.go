package bulk_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/task"
)

// Who looks at the tasks of a process sees which objects it is at.
func TestTasksHaveTheNamesOfObjects(t *testing.T) {
	type do func(ctx context.Context, w *world) error
	copyAll := func(ctx context.Context, w *world) error {
		plan, err := bulk.PlanCopy(ctx, w.Mux, []string{"mem://s/t/*"}, "mem://d/", nil)
		if err != nil {
			return err
		}
		_, err = bulk.Copy(ctx, plan, nil)
		return err
	}
	removeAll := func(ctx context.Context, w *world) error {
		plan, err := bulk.PlanRemove(ctx, w.Mux, []string{"mem://s/t/*"}, nil)
		if err != nil {
			return err
		}
		_, err = bulk.Remove(ctx, plan, nil)
		return err
	}
	syncAll := func(ctx context.Context, w *world) error {
		plan, err := bulk.PlanSync(ctx, w.Mux, "mem://s/t", "mem://d/t", nil)
		if err != nil {
			return err
		}
		_, err = bulk.Sync(ctx, plan, nil)
		return err
	}
	cat := func(ctx context.Context, w *world) error {
		_, err := bulk.Cat(ctx, io.Discard, bulk.Expand(ctx, w.Mux, []string{"mem://s/t/*"}, false), nil)
		return err
	}
	for _, c := range []struct {
		group string
		held  string // operation of the store that takes long
		do    do
		want  []string // below the group
	}{
		{"copy", "open", copyAll, []string{"t/a", "t/b"}},
		{"sync", "open", syncAll, []string{"t/a", "t/b"}},
		{"read ahead", "open", cat, []string{"t/a", "t/b"}},
		{"remove", "remove", removeAll, []string{"t/a"}}, // one request
	} {
		t.Run(c.group, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.seed("mem://s/t/a", "mem://s/t/b")
				w.faults["s"].Add(&faultfs.Rule{Op: c.held, Delay: time.Minute})
				ended := make(chan error)
				go func() { ended <- c.do(t.Context(), w) }()
				synctest.Wait()
				got := below(task.Tree().Roots, c.group)
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("tasks %q, want %q", got, c.want)
				}
			})
		})
	}
}

// below returns the names of the tasks of a group that have one.
func below(nodes []*task.Node, group string) (names []string) {
	for _, n := range nodes {
		if n.Name != group {
			names = append(names, below(n.Tasks, group)...)
			continue
		}
		for _, t := range n.Tasks {
			if t.Name != "" {
				names = append(names, t.Name)
			}
		}
	}
	return names
}
