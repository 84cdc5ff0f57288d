package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// copyTree copies src to dst and returns how each item ended.
func (w *world) copyTree(ctx context.Context, src, dst string, opts bulk.Options) (bulk.Summary, map[string]bulk.Event, error) {
	w.t.Helper()
	plan, err := bulk.PlanCopy(ctx, w.Mux, []string{src}, dst, &bulk.PlanOptions{Recursive: true})
	if err != nil {
		return bulk.Summary{}, nil, err
	}
	ends := &events{t: w.t}
	opts.Event = ends.add
	sum, err := bulk.Copy(ctx, plan, &opts)
	if sum.Total() < int64(len(ends.byID)) {
		w.t.Errorf("%d ends were told and %d counted", len(ends.byID), sum.Total())
	}
	return sum, ends.byID, err
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, src, dst string }{
		{"inside a store", "mem://s/t/", "mem://s/u"},
		{"between stores", "mem://s/t/", "mem://d/u"},
		{"to local files", "mem://s/t/", dir + "/down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.seed(names("mem://s/t", 300)...)
			w.write("mem://s/t/empty", nil)
			big := pattern(3<<20+17, 1)
			w.write("mem://s/t/x/big", big)
			var prog bulk.Progress
			sum, _, err := w.copyTree(t.Context(), c.src, c.dst, bulk.Options{Progress: &prog})
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "tree", keys(w.tree(c.dst)), keys(w.tree("mem://s/t")))
			if got := w.tree(c.dst); got["x/big"] != string(big) || got["0007"] != "mem://s/t/0007" {
				t.Error("content differs")
			}
			want := int64(300*len("mem://s/t/0000") + len(big))
			if sum.Done != 302 || sum.Bytes != want || sum.Total() != 302 {
				t.Errorf("summary %+v, want 302 done and %d bytes", sum, want)
			}
			s := prog.Snapshot()
			if s.Done != 302 || s.Bytes != want || s.ItemBytes != want || s.Items != 302 || !s.Complete || !s.Sized {
				t.Errorf("progress %+v", s)
			}
		})
	}
	t.Run("up from local files", func(t *testing.T) {
		w := newWorld(t)
		w.seed(dir+"/up/a", dir+"/up/s/b")
		if _, _, err := w.copyTree(t.Context(), dir+"/up", "mem://d", bulk.Options{Jobs: 1}); err != nil {
			t.Fatal(err)
		}
		diff(t, "tree", w.tree("mem://d"), map[string]string{"up/a": dir + "/up/a", "up/s/b": dir + "/up/s/b"})
	})
}

// What lies in a store is copied there: no byte passes through us.
func TestCopyIsServerSide(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/t/a", "mem://s/t/b")
	if _, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://s/u", bulk.Options{}); err != nil {
		t.Fatal(err)
	}
	f := w.faults["s"]
	if f.Calls("copy") != 2 || f.Calls("open") != 0 {
		t.Errorf("%d copies and %d opens, want 2 and 0", f.Calls("copy"), f.Calls("open"))
	}
}

// A store that turns out not to be able to copy an object is not the end.
func TestCopyFallsBackToStreaming(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/t/a")
	w.faults["s"].Add(&faultfs.Rule{Op: "copy", Err: errors.ErrUnsupported})
	if _, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://s/u", bulk.Options{}); err != nil {
		t.Fatal(err)
	}
	diff(t, "tree", w.tree("mem://s/u"), map[string]string{"a": "mem://s/t/a"})
}

func TestCopyNoClobber(t *testing.T) {
	for _, dst := range []string{"mem://d/u", "mem://s/u"} {
		w := newWorld(t)
		w.seed("mem://s/t/a", "mem://s/t/b")
		w.write(dst+"/a", []byte("mine"))
		sum, ends, err := w.copyTree(t.Context(), "mem://s/t/", dst, bulk.Options{NoClobber: true})
		if err != nil || sum.Done != 1 || sum.Skipped != 1 {
			t.Errorf("summary %+v, %v", sum, err)
		}
		diff(t, "tree", w.tree(dst), map[string]string{"a": "mine", "b": "mem://s/t/b"})
		if ev := ends["mem://s/t/a"]; ev.Status != bulk.Skipped || ev.Reason != "exists" {
			t.Errorf("a ended as %+v", ev)
		}
	}
}

// Somebody else's object that appears while ours is on its way is kept.
func TestCopyNoClobberRace(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/t/a", "mem://d/other")
	w.faults["d"].Add(&faultfs.Rule{Op: "commit", Path: "u/a", Err: fault.New("commit", "u/a", fault.Exist, nil)})
	sum, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{NoClobber: true})
	if err != nil || sum.Skipped != 1 || sum.Done != 0 {
		t.Errorf("summary %+v, %v; want one skipped", sum, err)
	}
}

// Every operation of a copy fails once: whatever it was, each item ends, what
// is done is whole, and nothing else is at the destination.
func TestCopyFailsAtEachStep(t *testing.T) {
	const items = 5
	steps := func(rule *faultfs.Rule, in string) (calls int) {
		w := newWorld(t)
		w.seed(names("mem://s/t", items)...)
		w.seed("mem://d/other")
		before := w.faults[in].Calls("")
		if rule != nil {
			w.faults[in].Add(rule)
		}
		sum, ends, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{Jobs: 2})
		calls = w.faults[in].Calls("") - before
		w.faults[in].Clear()
		got := w.tree("mem://d/u")
		for name, data := range got {
			if data != "mem://s/t/"+name {
				t.Errorf("%v: %s holds %q", rule, name, data)
			}
		}
		var done int64
		for url, ev := range ends {
			_, there := got[strings.TrimPrefix(url, "mem://s/t/")]
			if (ev.Status == bulk.Done) != there {
				t.Errorf("%+v: %s ended %v, at the destination: %v", rule, url, ev.Status, there)
			}
			if (ev.Err != nil) != (ev.Status == bulk.Failed) {
				t.Errorf("%s ended %v with %v", url, ev.Status, ev.Err)
			}
			if there {
				done++
			}
		}
		if sum.Done != done || len(got) != int(done) {
			t.Errorf("%d done, %d told, %d there", sum.Done, done, len(got))
		}
		if rule == nil && (err != nil || done != items) {
			t.Errorf("without a fault: %d done, %v", done, err)
		}
		if (err == nil) != (sum.Done == items) {
			t.Errorf("%+v: error %v with %+v", rule, err, sum)
		}
		return calls
	}
	for _, in := range []string{"s", "d"} {
		n := steps(nil, in)
		if n < items {
			t.Fatalf("only %d operations in %s", n, in)
		}
		for i := range n {
			for _, kind := range []fault.Kind{fault.Permission, fault.Unavailable} {
				steps(&faultfs.Rule{Skip: i, Times: 1, N: 3, Err: fault.New("", "", kind, io.ErrClosedPipe)}, in)
			}
		}
	}
}

// A body that ends early without a word must not become a shorter copy.
func TestCopyShortBody(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/t/a", "mem://s/t/b")
	w.faults["s"].Add(&faultfs.Rule{Op: "read", Path: "t/a", N: 4, Err: io.EOF})
	sum, ends, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{})
	var items *bulk.ItemsError
	if !errors.As(err, &items) || sum.Failed != 1 || sum.Done != 1 {
		t.Errorf("summary %+v, %v", sum, err)
	}
	if k := fault.KindOf(ends["mem://s/t/a"].Err); k != fault.Unavailable {
		t.Errorf("kind %v, want Unavailable", k)
	}
	diff(t, "tree", keys(w.tree("mem://d/u")), []string{"b"})
	if n := w.faults["d"].Calls("abort"); n != 1 {
		t.Errorf("%d writes were aborted, want 1", n)
	}
}

// sizeLiar says that its copies have a byte less.
type sizeLiar struct{ driver.FS }

func (l sizeLiar) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	e, err := l.FS.(driver.Copier).Copy(ctx, src, dst)
	e.Size--
	return e, err
}

func TestCopyChecksServerSideSize(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(_ string, d driver.FS) driver.FS { return sizeLiar{d} }
	w.seed("mem://s/t/a")
	_, ends, err := w.copyTree(t.Context(), "mem://s/t/", "mem://s/u", bulk.Options{})
	if k := fault.KindOf(ends["mem://s/t/a"].Err); err == nil || k != fault.Corrupt {
		t.Errorf("a copy that lost a byte gave %v", err)
	}
}

// The run is canceled while writes are under way: no object is there in
// part, no item is lost, and what was given up is not called failed.
func TestCopyCancel(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for _, name := range names("mem://s/t", 50) {
		w.write(name, pattern(1<<20, 3))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	plan, err := bulk.PlanCopy(ctx, w.Mux, []string{"mem://s/t/"}, dir+"/out", &bulk.PlanOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	var done int
	sum, err := bulk.Copy(ctx, plan, &bulk.Options{Jobs: 4, Event: func(ev bulk.Event) {
		if ev.Status == bulk.Failed {
			t.Errorf("%s failed: %v", ev.Src.URL(), ev.Err)
		}
		if done++; done == 7 {
			cancel(because)
		}
	}})
	if err != because {
		t.Errorf("error %v, want the cause", err)
	}
	if sum.Done < 7 || sum.Canceled == 0 || sum.Failed != 0 {
		t.Errorf("summary %+v", sum)
	}
	got := w.tree(dir + "/out")
	if int64(len(got)) != sum.Done {
		t.Errorf("%d objects there, %d done", len(got), sum.Done)
	}
	for name, data := range got {
		if len(data) != 1<<20 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
	}
	left, err := os.ReadDir(dir + "/out")
	if err != nil || len(left) != len(got) {
		t.Errorf("%d files are left behind for %d objects, %v", len(left), len(got), err)
	}
}

// A listing that breaks off ends the run with its error, after what was
// planned has ended.
func TestCopyPlanBreaks(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 10)...)
	w.faults["s"].Add(&faultfs.Rule{Op: "list", N: 6, Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)})
	sum, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{})
	if fault.KindOf(err) != fault.Unavailable || sum.Done != 6 {
		t.Errorf("%v with %+v, want the error of the listing and 6 done", err, sum)
	}
	if n := len(w.tree("mem://d/u")); n != 6 {
		t.Errorf("%d objects at the destination", n)
	}
}

// The first errors are kept, and all are counted.
func TestSummaryKeepsFirstErrors(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 30)...)
	w.seed("mem://d/other")
	w.faults["d"].Add(&faultfs.Rule{Op: "create", Err: fault.New("", "", fault.Permission, nil)})
	sum, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{KeepErrors: 7})
	var items *bulk.ItemsError
	if !errors.As(err, &items) || sum.Failed != 30 || len(sum.Errors) != 7 || len(items.Unwrap()) != 7 {
		t.Errorf("%d failed, %d kept, error %v", sum.Failed, len(sum.Errors), err)
	}
	if fault.KindOf(err) != fault.Permission || !strings.HasPrefix(err.Error(), "copy: 30 of 30 failed, the first: ") {
		t.Errorf("error %q", err)
	}
}

// Directory markers of object stores have no place among local files. What
// only looks like one, but holds something, must not get lost silently.
func TestCopySkipsMarkers(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.write("mem://s/t/m/", nil)
	w.seed("mem://s/t/m/a")
	sum, _, err := w.copyTree(t.Context(), "mem://s/t/", dir+"/u", bulk.Options{})
	if err != nil || sum.Done != 1 || sum.Skipped != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	w.seed("mem://s/t/m/")
	sum, _, err = w.copyTree(t.Context(), "mem://s/t/", dir+"/v", bulk.Options{})
	if err == nil || sum.Done != 1 || sum.Failed != 1 {
		t.Errorf("a marker with content: %+v, %v", sum, err)
	}
}

func ExampleCopy() {
	ctx := context.Background()
	mux := newExampleMux()
	defer mux.Close()
	plan, err := bulk.PlanCopy(ctx, mux, []string{"mem://logs/2026/*/a.gz"}, "mem://backup/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := bulk.Copy(ctx, plan, nil)
	fmt.Println(sum.Done, sum.Bytes, err)
	var out bytes.Buffer
	_, err = bulk.Cat(ctx, &out, bulk.Expand(ctx, mux, []string{"mem://backup/**"}, false), nil)
	fmt.Println(out.String(), err)
	// Output:
	// 2 6 <nil>
	// onetwo <nil>
}

func newExampleMux() *fsys.Mux {
	w := newWorld(exampleTB{})
	w.write("mem://logs/2026/01/a.gz", []byte("one"))
	w.write("mem://logs/2026/02/a.gz", []byte("two"))
	return w.Mux
}

// exampleTB stands in for a test where an example needs the same helpers.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()           {}
func (exampleTB) Cleanup(func())    {}
func (exampleTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
