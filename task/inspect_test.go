package task_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// find returns the nodes with a name.
func find(nodes []*task.Node, name string) []*task.Node {
	var all []*task.Node
	for _, n := range nodes {
		if n.Name == name {
			all = append(all, n)
		}
		all = append(all, find(n.Tasks, name)...)
	}
	return all
}

func countWaits(nodes []*task.Node) int {
	count := 0
	for _, n := range nodes {
		count += len(n.Waits) + countWaits(n.Tasks)
	}
	return count
}

func names(nodes []*task.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

// meet returns two functions: arrive is called by n tasks, and returns when
// look has been called and returned; look waits until all have arrived. They
// work in both models.
func meet(ctx context.Context, n int64) (arrive func(ctx context.Context) error, look func(func()) error) {
	b := task.NewBudget(n + 1)
	here := task.NewBudget(n)
	_ = here.Acquire(ctx, n)
	_ = b.Acquire(ctx, n+1)
	arrive = func(ctx context.Context) error {
		here.Release(1)
		return b.Acquire(ctx, 1)
	}
	look = func(fn func()) error {
		defer b.Release(n)
		if err := here.Acquire(ctx, n); err != nil {
			return err
		}
		fn()
		return nil
	}
	return arrive, look
}

func TestTree(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			arrive, look := meet(ctx, 3)
			return task.Run(ctx, &task.Options{Name: "root"}, func(g *task.Group) error {
				g.Go("a", func(ctx context.Context) error {
					return task.Run(ctx, nil, func(g *task.Group) error {
						g.Go("b", arrive)
						g.Go("c", arrive)
						return nil
					})
				})
				g.Go("d", func(ctx context.Context) error {
					defer task.Waiting(ctx, "GET example.org/x").Done()
					return arrive(ctx)
				})
				g.GoLater("looker", func(ctx context.Context) error {
					return look(func() {
						for countWaits(task.Tree().Roots) < 4 {
							_ = loop.Yield(ctx)
						}
						checkTree(t)
					})
				})
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
		if n := find(task.Tree().Roots, "root"); len(n) > 0 {
			t.Errorf("still there: %+v", n[0])
		}
	})
}

func checkTree(t *testing.T) {
	s := task.Tree()
	roots := find(s.Roots, "root")
	if len(roots) != 1 || len(s.Stuck) != 0 {
		t.Errorf("%d roots, stuck: %q", len(roots), s.Stuck)
		return
	}
	root := roots[0]
	if got := names(root.Tasks); got != "a d looker" || !root.Group {
		t.Errorf("below the root: %q, group %v", got, root.Group)
		return
	}
	a, d := root.Tasks[0], root.Tasks[1]
	if got := names(a.Tasks); got != "b c" || a.State != task.Joins || a.Group {
		t.Errorf("below a: %q, state %q", got, a.State)
		return
	}
	for _, n := range a.Tasks {
		if n.State != task.Waits || len(n.Waits) != 1 || n.Waits[0].For != "1 of a budget of 4" || n.Waits[0].Since > n.Age {
			t.Errorf("%s: %+v", n.Name, n.Info)
		}
		if !strings.Contains(n.Spawned, "inspect_test.go:") {
			t.Errorf("%s spawned at %q", n.Name, n.Spawned)
		}
	}
	if d.State != task.Waits || len(d.Waits) != 2 || d.Waits[1].For != "GET example.org/x" {
		t.Errorf("d: %+v", d.Info)
	}
	if root.Age < a.Age || a.Age < a.Tasks[0].Age {
		t.Errorf("ages: root %v, a %v, b %v", root.Age, a.Age, a.Tasks[0].Age)
	}
}

func TestAllAndCurrent(t *testing.T) {
	if _, ok := task.Current(t.Context()); ok {
		t.Error("a task outside of all")
	}
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, &task.Options{Name: "outer"}, func(g *task.Group) error {
				g.GoLater("in", func(ctx context.Context) error {
					info, ok := task.Current(ctx)
					if !ok || info.Name != "in" || info.Path != "outer > in" || info.Group {
						t.Errorf("current: %+v, %v", info, ok)
					}
					paths := map[string]bool{}
					for _, i := range task.All() {
						paths[i.Path] = true
					}
					if !paths["outer"] || !paths["outer > in"] {
						t.Errorf("all: %v", paths)
					}
					return nil
				})
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A group that is full tells how many of its tasks have not begun, and a task
// the number that stands for its missing name.
func TestTreePending(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		err := m.run(t, func(ctx context.Context) error {
			return task.Run(ctx, &task.Options{Name: "full", Limit: 1}, func(g *task.Group) error {
				g.GoLater("", func(context.Context) error {
					for range 5 {
						g.Go("", func(context.Context) error { return nil })
					}
					full := find(task.Tree().Roots, "full")
					if len(full) != 1 || full[0].Pending != 5 || len(full[0].Tasks) != 1 {
						t.Errorf("full: %+v", full)
					}
					var b strings.Builder
					_ = task.Tree().WriteText(&b)
					if !strings.Contains(b.String(), "5 not begun") || !strings.Contains(b.String(), " #1  ") {
						t.Errorf("text:\n%s", &b)
					}
					return nil
				})
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Each task is shown once, however they nest: the output grows with their
// number, not with the number of ways to them.
func TestTreeIsLinear(t *testing.T) {
	onBoth(t, func(t *testing.T, m model) {
		const depth = 300
		var lines, bytes [2]int
		var grow func(ctx context.Context, d int) error
		grow = func(ctx context.Context, d int) error {
			return task.Run(ctx, &task.Options{Name: "g"}, func(g *task.Group) error {
				g.GoLater("t", func(ctx context.Context) error {
					if d > 0 {
						return grow(ctx, d-1)
					}
					var b strings.Builder
					_ = task.Tree().WriteText(&b)
					lines[0], bytes[0] = strings.Count(b.String(), "\n"), b.Len()
					b.Reset()
					_ = task.Tree().WriteJSON(&b)
					lines[1], bytes[1] = strings.Count(b.String(), "\n"), b.Len()
					return nil
				})
				return nil
			})
		}
		if err := m.run(t, func(ctx context.Context) error { return grow(ctx, depth-1) }); err != nil {
			t.Error(err)
		}
		want := 2 * depth
		if m.name == "loop" {
			want++ // the coroutine
		}
		if lines[0] != want || lines[1] != want+1 || bytes[0] > want*200 || bytes[1] > want*300 {
			t.Errorf("%v lines of %v bytes, want %d tasks", lines, bytes, want)
		}
	})
}

func TestHandler(t *testing.T) {
	odd := "a\nb\xff"
	err := task.Run(t.Context(), &task.Options{Name: "web"}, func(g *task.Group) error {
		g.GoLater(odd, func(ctx context.Context) error {
			defer task.Waiting(ctx, "nothing").Done()
			w := httptest.NewRecorder()
			task.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if text := w.Body.String(); !strings.HasPrefix(text, "2 tasks, 1 wait\nweb (group)") ||
				!strings.Contains(text, "\n  \"a\\nb\\xff\"") || !strings.Contains(text, "for nothing") {
				t.Errorf("text:\n%s", text)
			}
			w = httptest.NewRecorder()
			task.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/?format=json", nil))
			type line struct {
				ID, Parent     int
				Name, State    string
				Group          bool
				NameB64        []byte `json:"name_b64"`
				Tasks, Waiting int
			}
			var lines []line
			for in := bufio.NewScanner(w.Body); in.Scan(); {
				var l line
				if err := json.Unmarshal(in.Bytes(), &l); err != nil {
					t.Errorf("%q: %v", in.Text(), err)
				}
				lines = append(lines, l)
			}
			if len(lines) != 3 || !lines[0].Group || lines[1].Parent != lines[0].ID ||
				string(lines[1].NameB64) != odd || lines[1].State != "waits" || lines[2].Tasks != 2 || lines[2].Waiting != 1 {
				t.Errorf("json: %+v", lines)
			}
			w = httptest.NewRecorder()
			task.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
			if w.Code != 405 {
				t.Errorf("POST: %d", w.Code)
			}
			return nil
		})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A loop that a callback holds up is reported with its stack, and does not
// hold up who looks.
func TestTreeOfABusyLoop(t *testing.T) {
	l := loop.New(nil)
	held, free := make(chan struct{}), make(chan struct{})
	l.Post(loop.Normal, func() { heldUp(held, free); l.Stop() })
	done := make(chan error)
	go func() { done <- l.Run(t.Context()) }() // ends with the callback
	<-held
	s := task.Tree()
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(s.Stuck) != 1 || !strings.Contains(s.Stuck[0], "heldUp") {
		t.Errorf("stuck: %q", s.Stuck)
	}
}

func heldUp(held, free chan struct{}) {
	close(held)
	<-free
}

// Waits end with the call, also when a context outlives its task.
func TestWaitingOutlivesNothing(t *testing.T) {
	var kept context.Context
	err := task.Run(t.Context(), nil, func(g *task.Group) error {
		kept = g.Context()
		w := task.Waiting(kept, "x")
		if n := len(task.Tree().Roots); n != 1 {
			return fmt.Errorf("%d roots while one waits", n)
		}
		w.Done()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	task.Waiting(kept, "y").Done()
	task.Waiting(t.Context(), "z").Done()
	if n := len(task.Tree().Roots); n != 0 {
		t.Errorf("%d roots left", n)
	}
}

// Nothing stays listed when tasks end in unusual ways.
func TestTreeAfterGoexitAndPanic(t *testing.T) {
	for _, end := range []func(){func() { panic("x") }, runtime.Goexit} {
		done := make(chan struct{})
		go func() { // ended by the task, one way or the other
			defer close(done)
			defer func() { _ = recover() }()
			_ = task.Run(t.Context(), &task.Options{Name: "odd"}, func(g *task.Group) error {
				for range 20 {
					g.Go("", func(context.Context) error { end(); return nil })
					g.GoLater("", func(context.Context) error { end(); return errors.New("not reached") })
				}
				return nil
			})
		}()
		<-done
	}
	if s := task.Tree(); len(s.Roots) != 0 {
		t.Errorf("left: %s", names(s.Roots))
	}
}
