package task_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	rtrace "runtime/trace"
	"strings"
	"testing"

	"github.com/leat-dev/leat/task"
)

// With profiling on, dumps of goroutines say which task each one runs.
func TestProfileLabels(t *testing.T) {
	task.Profile(true)
	defer task.Profile(false)
	dump := func() string {
		var b bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		return b.String()
	}
	onBoth(t, func(t *testing.T, m model) {
		var events bytes.Buffer
		if err := rtrace.Start(&events); err != nil {
			t.Fatal(err)
		}
		inModel(t, m, func(ctx context.Context) error {
			return task.Run(ctx, &task.Options{Name: "labels"}, func(g *task.Group) error {
				g.GoLater("seen", func(context.Context) error {
					if text := dump(); !strings.Contains(text, `"task":"labels > seen"`) || !strings.Contains(text, "profile_test.go:") {
						t.Errorf("no label in:\n%s", text)
					}
					return nil
				})
				_, err := task.Collect(g.Context(), nil, func(ts *task.Tasks[int]) error {
					ts.Go("", func(context.Context) (int, error) { return 1, nil })
					return nil
				})
				return err
			})
		})
		rtrace.Stop()
		if !bytes.Contains(events.Bytes(), []byte("seen")) {
			t.Error("the trace does not name the task")
		}
		if text := dump(); strings.Contains(text, "labels > seen") {
			t.Errorf("labels stay behind:\n%s", text)
		}
	})
}
