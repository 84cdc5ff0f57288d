package task_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

var (
	treeSeed = flag.Uint64("task.seed", 0, "seed of the first random tree; 0 picks one")
	treeRuns = flag.Int("task.trees", 2000, "number of random trees")
)

// A node is a task of a random tree: it acts, then runs its kids in a group,
// or in the group that it is in itself.
type node struct {
	path  string
	name  string
	act   int // of 100: below fails it returns an error, then it yields, else goes on
	later bool
	limit int
	kids  []*node
	flat  bool // the kids join the group that the node is in
}

func randomTree(r *rand.Rand, depth int) *node {
	n := &node{act: r.IntN(100), later: r.IntN(4) == 0, flat: r.IntN(5) == 0}
	if r.IntN(2) == 0 {
		n.limit = 1 + r.IntN(3)
	}
	if depth > 0 {
		for range r.IntN(6) {
			n.kids = append(n.kids, randomTree(r, depth-1))
		}
	}
	return n
}

// label names the nodes; a flat kid's path does not have the node above it.
func (n *node) label(above, name string) {
	n.name, n.path = name, above+name
	for i, kid := range n.kids {
		if n.flat {
			kid.label(above, fmt.Sprintf("%s.%d", name, i))
		} else {
			kid.label(n.path+" > ", fmt.Sprint(i))
		}
	}
}

// An execution notes what happened in one run of a tree.
type execution struct {
	t     *testing.T
	fails int // percentage

	mu      sync.Mutex
	visited map[string]int
	failed  map[string]bool
}

func (x *execution) act(n *node) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.visited[n.path]++
	if n.act < x.fails {
		x.failed[n.path] = true
		return errors.New("failed: " + n.path)
	}
	return nil
}

func (n *node) yields() bool { return n.act%3 == 0 }

// plain is the reference: a goroutine for every node, no cancellation.
func (x *execution) plain(n *node) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if x.act(n) != nil {
		return
	}
	for _, kid := range n.kids {
		wg.Go(func() { x.plain(kid) })
	}
}

// inGroup runs the node as a task of g, whose count of tasks is running.
func (x *execution) inGroup(ctx context.Context, n *node, g *task.Group, start func(*node)) error {
	if got := task.Path(ctx); got != n.path {
		x.t.Errorf("path %q, want %q", got, n.path)
	}
	if n.yields() {
		_ = loop.Yield(context.WithoutCancel(ctx))
	}
	if err := x.act(n); err != nil {
		return err
	}
	if n.flat && g != nil {
		for _, kid := range n.kids {
			start(kid)
		}
		return nil
	}
	return x.run(ctx, n)
}

func (x *execution) run(ctx context.Context, n *node) error {
	return task.Run(ctx, &task.Options{Limit: n.limit}, func(g *task.Group) error {
		var running atomic.Int32
		var start func(kid *node)
		start = func(kid *node) {
			f := g.Go
			if kid.later {
				f = g.GoLater
			}
			f(kid.name, func(ctx context.Context) error {
				if now := int(running.Add(1)); n.limit > 0 && now > n.limit {
					x.t.Errorf("%d tasks at once with a limit of %d", now, n.limit)
				}
				defer running.Add(-1)
				return x.inGroup(ctx, kid, g, start)
			})
		}
		for _, kid := range n.kids {
			start(kid)
		}
		return nil
	})
}

// leaves collects the failures that are not of groups, by path.
func leaves(t *testing.T, err error, into map[string]bool) {
	var errs task.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("%T is not Errors: %v", err, err)
	}
	for _, e := range errs {
		if _, ok := e.Err.(task.Errors); ok {
			leaves(t, e.Err, into)
			continue
		}
		if e.Err.Error() != "failed: "+e.Path {
			t.Errorf("path %q has error %q", e.Path, e.Err)
		}
		if into[e.Path] {
			t.Errorf("failure of %q is told twice", e.Path)
		}
		into[e.Path] = true
	}
}

func TestRandomTrees(t *testing.T) {
	seed := *treeSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	runs := *treeRuns
	if testing.Short() {
		runs /= 10
	}
	for i := range uint64(runs) {
		root := randomTree(rand.New(rand.NewPCG(seed+i, 0)), 4)
		root.act, root.flat = 99, false
		for k, kid := range root.kids {
			kid.label("", fmt.Sprint(k))
		}
		for _, fails := range []int{0, 4} {
			ref := &execution{t: t, fails: fails, visited: map[string]int{}, failed: map[string]bool{}}
			for _, kid := range root.kids {
				ref.plain(kid)
			}
			for _, m := range models {
				x := &execution{t: t, fails: fails, visited: map[string]int{}, failed: map[string]bool{}}
				check(t, ref, x, m.run(t, func(ctx context.Context) error { return x.run(ctx, root) }))
				if t.Failed() {
					t.Fatalf("%s: tree of -task.seed=%d -task.trees=1", m.name, seed+i)
				}
			}
		}
	}
}

func check(t *testing.T, ref, x *execution, err error) {
	told := map[string]bool{}
	if err != nil {
		leaves(t, err, told)
	}
	if !maps.Equal(told, x.failed) {
		t.Errorf("told %v, failed %v", told, x.failed)
	}
	if len(ref.failed) == 0 {
		if !maps.Equal(x.visited, ref.visited) {
			t.Errorf("visited %d tasks, want %d", len(x.visited), len(ref.visited))
		}
		return
	}
	if err == nil {
		t.Errorf("no error, but %v fail", slices.Collect(maps.Keys(ref.failed)))
	}
	for path, n := range x.visited {
		if n != 1 || ref.visited[path] != 1 {
			t.Errorf("%q ran %d times, in the reference %d", path, n, ref.visited[path])
		}
	}
}
