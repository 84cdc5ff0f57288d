package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// remove plans and runs a removal.
func (w *world) remove(ctx context.Context, args []string, opts *bulk.PlanOptions) (bulk.Summary, map[string]bulk.Event, error) {
	w.t.Helper()
	plan, err := bulk.PlanRemove(ctx, w.Mux, args, opts)
	if err != nil {
		return bulk.Summary{}, nil, err
	}
	ends := &events{t: w.t}
	sum, err := bulk.Remove(ctx, plan, &bulk.Options{Event: ends.add})
	if sum.Total() != int64(plan.Len()) {
		w.t.Errorf("%d of %d entries ended: %+v", sum.Total(), plan.Len(), sum)
	}
	return sum, ends.byID, err
}

func TestRemove(t *testing.T) {
	for _, c := range []struct {
		name      string
		args      []string
		recursive bool
		left      []string
		kind      fault.Kind
	}{
		{name: "object", args: []string{"a/f"}, left: []string{"a/d/x", "a/d/y", "b/f"}},
		{name: "directory without R", args: []string{"a/d"}, left: []string{"a/d/x", "a/d/y", "a/f", "b/f"}, kind: fault.IsDir},
		{name: "directory", args: []string{"a/d"}, recursive: true, left: []string{"a/f", "b/f"}},
		{name: "directory with slash", args: []string{"a/d/"}, recursive: true, left: []string{"a/f", "b/f"}},
		{name: "pattern", args: []string{"*/f"}, left: []string{"a/d/x", "a/d/y"}},
		{name: "pattern takes objects only", args: []string{"a/*"}, left: []string{"a/d/x", "a/d/y", "b/f"}},
		{name: "pattern with R", args: []string{"a/*"}, recursive: true, left: []string{"b/f"}},
		{name: "overlapping", args: []string{"a/**", "a/f", "a/d"}, recursive: true, left: []string{"b/f"}},
		{name: "absent", args: []string{"a/f", "a/q"}, left: []string{"a/d/x", "a/d/y", "a/f", "b/f"}, kind: fault.NotExist},
		{name: "no match", args: []string{"a/q*"}, left: []string{"a/d/x", "a/d/y", "a/f", "b/f"}, kind: fault.NotExist},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/local=%v", c.name, local), func(t *testing.T) {
				w := newWorld(t)
				s := "mem://s/"
				if local {
					s = t.TempDir() + "/"
				}
				w.seed(s+"a/f", s+"a/d/x", s+"a/d/y", s+"b/f")
				var args []string
				for _, a := range c.args {
					args = append(args, s+a)
				}
				_, _, err := w.remove(t.Context(), args, &bulk.PlanOptions{Recursive: c.recursive})
				if fault.KindOf(err) != c.kind {
					t.Errorf("error %v, want kind %v", err, c.kind)
				}
				diff(t, "left", keys(w.tree(s)), c.left)
			})
		}
	}
}

// Real directories go too, the deepest first, and not those above.
func TestRemoveDirectories(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir+"/t/a/b/c/x", dir+"/t/a/y", dir+"/keep")
	if err := os.MkdirAll(dir+"/t/empty/er", 0o700); err != nil {
		t.Fatal(err)
	}
	sum, _, err := w.remove(t.Context(), []string{dir + "/t"}, &bulk.PlanOptions{Recursive: true})
	if err != nil || sum.Done != 8 {
		t.Errorf("%+v, %v; want 2 objects and 6 directories done", sum, err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || left[0].Name() != "keep" {
		t.Errorf("left: %v", left)
	}
}

// A link is removed; what it points to stays.
func TestRemoveLinks(t *testing.T) {
	for _, arg := range []string{"t/link", "t", "t/*", "t/l*"} {
		w := newWorld(t)
		dir := t.TempDir()
		w.seed(dir+"/outside/x", dir+"/t/y")
		if err := os.Symlink(dir+"/outside", dir+"/t/link"); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		if _, _, err := w.remove(t.Context(), []string{dir + "/" + arg}, &bulk.PlanOptions{Recursive: true}); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
		if _, err := os.Lstat(dir + "/t/link"); err == nil {
			t.Errorf("%s: the link is still there", arg)
		}
		if _, err := os.Stat(dir + "/outside/x"); err != nil {
			t.Errorf("%s: removed outside of what was named: %v", arg, err)
		}
	}
}

// countBatches counts the requests that remove many objects.
type countBatches struct {
	driver.FS
	n *atomic.Int64
}

func (c countBatches) MaxRemoveBatch() int { return 300 }

func (c countBatches) RemoveBatch(ctx context.Context, paths []string) []error {
	c.n.Add(1)
	return c.FS.(driver.BatchRemover).RemoveBatch(ctx, paths)
}

func TestRemoveGuard(t *testing.T) {
	w := newWorld(t)
	var batches atomic.Int64
	w.wrap = func(_ string, d driver.FS) driver.FS { return countBatches{d, &batches} }
	w.seed(names("mem://s/t", 1001)...)
	_, _, err := w.remove(t.Context(), []string{"mem://s/t"}, &bulk.PlanOptions{Recursive: true})
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("1,001 objects: %v", err)
	}
	if n := len(w.tree("mem://s")); n != 1001 {
		t.Errorf("%d objects are left, want all", n)
	}
	sum, _, err := w.remove(t.Context(), []string{"mem://s/t/**"}, &bulk.PlanOptions{MaxRemove: 1001})
	if err != nil || sum.Done != 1001 {
		t.Errorf("%+v, %v", sum, err)
	}
	if n := batches.Load(); n != 4 {
		t.Errorf("%d requests for 1,001 objects in batches of 300, want 4", n)
	}
}

// Nothing is removed after a listing that failed, wherever it broke off.
func TestRemoveListingFails(t *testing.T) {
	for n := range 4 {
		w := newWorld(t)
		w.seed(names("mem://s/t", 3)...)
		w.seed("mem://s/u/0")
		w.faults["s"].Add(&faultfs.Rule{Op: "list", Path: "t", N: int64(n), Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)})
		_, _, err := w.remove(t.Context(), []string{"mem://s/u/0", "mem://s/t"}, &bulk.PlanOptions{Recursive: true})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("broken after %d: %v", n, err)
		}
		w.faults["s"].Clear()
		if left := len(w.tree("mem://s")); left != 4 {
			t.Errorf("broken after %d: %d objects are left, want all", n, left)
		}
	}
}

// One entry that cannot be removed fails alone, in a batch too, and the
// directories above it are left without being failures of their own.
func TestRemoveOneFails(t *testing.T) {
	for _, local := range []bool{false, true} {
		w := newWorld(t)
		s, in := "mem://s", "s"
		if local {
			s, in = t.TempDir(), "local"
		}
		w.seed(s+"/t/a/x", s+"/t/a/y", s+"/t/b/z")
		f, path, err := w.Resolve(t.Context(), s+"/t/a/y")
		if err != nil {
			t.Fatal(err)
		}
		w.faults[in].Add(&faultfs.Rule{Op: "remove", Path: path, Err: fault.New("", "", fault.Permission, nil)})
		sum, ends, err := w.remove(t.Context(), []string{s + "/t"}, &bulk.PlanOptions{Recursive: true})
		if err == nil || sum.Failed != 1 || fault.KindOf(ends[f.URL(path)].Err) != fault.Permission {
			t.Errorf("local=%v: %+v, %v", local, sum, err)
		}
		diff(t, "left", keys(w.tree(s)), []string{"t/a/y"})
		if local && (sum.Done != 3 || sum.Skipped != 2) {
			t.Errorf("%+v; want 2 objects and b done, a and the top skipped", sum)
		}
	}
}

// An entry that is gone when its turn comes is what was asked for.
func TestRemoveGoneAlready(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir+"/a", dir+"/b")
	plan, err := bulk.PlanRemove(t.Context(), w.Mux, []string{dir + "/*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir + "/a"); err != nil {
		t.Fatal(err)
	}
	sum, err := bulk.Remove(t.Context(), plan, nil)
	if err != nil || sum.Done != 1 || sum.Skipped != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestRemoveCancel(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(names(dir+"/t", 40)...)
	plan, err := bulk.PlanRemove(t.Context(), w.Mux, []string{dir + "/t"}, &bulk.PlanOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	done := 0
	sum, err := bulk.Remove(ctx, plan, &bulk.Options{Jobs: 1, Event: func(bulk.Event) {
		if done++; done == 5 {
			cancel(because)
		}
	}})
	left := keys(w.tree(dir + "/t"))
	if err != because || sum.Done != int64(40-len(left)) || sum.Total() != 41 || sum.Failed != 0 {
		t.Errorf("%v, %+v with %d left", err, sum, len(left))
	}
	if _, err := os.Stat(dir + "/t"); err != nil || slices.Contains(left, "") {
		t.Errorf("the directory is gone though its removal was canceled: %v", err)
	}
}

// deafBatches removes batches but for the objects whose name ends in 7, each
// of which has an error of its own inside an answer that is a success.
type deafBatches struct{ driver.FS }

func (deafBatches) MaxRemoveBatch() int { return 10 }

func (d deafBatches) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	for i, p := range paths {
		if strings.HasSuffix(p, "7") {
			errs[i] = fault.New("remove", p, fault.Permission, nil)
			continue
		}
		errs[i] = d.FS.Remove(ctx, p)
	}
	return errs
}

// Errors of single objects in an answer that is a success as a whole are told,
// one by one, and what they are about is not counted as removed.
func TestD12ErrorsInsideABatchAreTold(t *testing.T) {
	const n = 40
	mux := fsys.NewMux(map[string]fsys.Backend{"mem": {
		Split: memfs.Backend().Split, Join: memfs.Backend().Join,
		Open: func(context.Context, string) (driver.FS, error) { return deafBatches{memfs.New()}, nil },
	}})
	defer mux.Close()
	w := &world{Mux: mux, t: t}
	w.seed(names("mem://s/t", n)...)
	plan, err := bulk.PlanRemove(t.Context(), mux, []string{"mem://s/t"}, &bulk.PlanOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	ends := &events{t: t}
	sum, err := bulk.Remove(t.Context(), plan, &bulk.Options{Event: ends.add})
	if fault.KindOf(err) != fault.Permission || sum.Done != n-4 || sum.Failed != 4 {
		t.Errorf("%+v, %v", sum, err)
	}
	for _, url := range names("mem://s/t", n) {
		want := bulk.Done
		if strings.HasSuffix(url, "7") {
			want = bulk.Failed
		}
		if got := ends.byID[url].Status; got != want {
			t.Errorf("%s ended %v, want %v", url, got, want)
		}
	}
	if got := len(w.tree("mem://s/t")); got != 4 {
		t.Errorf("%d objects are left, want 4", got)
	}
}
