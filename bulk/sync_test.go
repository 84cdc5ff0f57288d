package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/rofs"
)

// sync runs a sync and returns its summary and the ends of its items by the
// URL of what they are about.
func (w *world) sync(src, dst string, plan *bulk.SyncOptions, opts *bulk.Options) (bulk.Summary, map[string]bulk.Event, error) {
	w.t.Helper()
	p, err := bulk.PlanSync(context.Background(), w.Mux, src, dst, plan)
	if err != nil {
		return bulk.Summary{}, nil, err
	}
	ends := &events{t: w.t}
	var o bulk.Options
	if opts != nil {
		o = *opts
	}
	o.Event = ends.add
	sum, err := bulk.Sync(context.Background(), p, &o)
	return sum, ends.byID, err
}

func TestSync(t *testing.T) {
	for _, c := range []struct{ name, src, dst string }{
		{"memory", "mem://s/t", "mem://d/u"}, {"one store", "mem://s/t/", "mem://s/u"},
		{"down", "mem://s/t", ""}, {"up", "", "mem://d/u/"}, {"local", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.src == "" {
				c.src = t.TempDir()
			}
			if c.dst == "" {
				c.dst = t.TempDir() + "/u"
			}
			src, dst := strings.TrimSuffix(c.src, "/"), strings.TrimSuffix(c.dst, "/")
			w.seed(src+"/a", src+"/d!", src+"/d/b", src+"/d/e/c", src+"/d0")
			sum, _, err := w.sync(c.src, c.dst, nil, nil)
			if err != nil || sum.Done != 5 {
				t.Fatalf("first: %+v, %v", sum, err)
			}
			diff(t, "tree", w.tree(dst), w.tree(src))
			sum, ends, err := w.sync(c.src, c.dst, &bulk.SyncOptions{Compare: bulk.BySize}, nil)
			if err != nil || sum.Done != 0 || sum.Skipped != 5 || ends[src+"/d/b"].Reason != "same size" {
				t.Fatalf("again: %+v, %v", sum, err)
			}
			w.write(src+"/a", []byte("longer than it was"))
			w.seed(dst + "/extra")
			if sum, _, err = w.sync(c.src, c.dst, &bulk.SyncOptions{Compare: bulk.BySize}, nil); err != nil || sum.Done != 1 {
				t.Fatalf("changed: %+v, %v", sum, err)
			}
			if _, there := w.tree(dst)["extra"]; !there {
				t.Error("something was removed without Delete")
			}
			sum, ends, err = w.sync(c.src, c.dst, &bulk.SyncOptions{Compare: bulk.BySize, Delete: true}, nil)
			if err != nil || sum.Done != 1 || ends[dst+"/extra"].Op != "remove" {
				t.Fatalf("delete: %+v, %v", sum, err)
			}
			diff(t, "tree", w.tree(dst), w.tree(src))
		})
	}
}

// Each way to compare, on objects of one size.
func TestSyncCompare(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name    string
		compare bulk.Compare
		text    string // at the destination
		src     time.Time
		dst     time.Time
		times   bool
		want    string // reason, or "" for a copy
	}{
		{"time: older", bulk.ByTime, "two", old, old.Add(time.Minute), false, "not newer"},
		{"time: newer", bulk.ByTime, "two", old.Add(time.Minute), old, false, ""},
		{"time: equal, with parts of seconds", bulk.ByTime, "two", old.Truncate(time.Second).Add(1), old.Truncate(time.Second).Add(1), false, "not newer"},
		{"time: within one second", bulk.ByTime, "two", old.Truncate(time.Second), old.Truncate(time.Second).Add(time.Second / 2), false, ""},
		{"time: kept and equal", bulk.ByTime, "two", old.Truncate(time.Second), old.Truncate(time.Second), true, "not newer"},
		{"time: kept and an older source", bulk.ByTime, "two", old, old.Add(time.Minute), true, ""},
		{"size", bulk.BySize, "two", old.Add(time.Minute), old, false, "same size"},
		{"content: same", bulk.ByContent, "one", old.Add(time.Minute), old, false, "same contents"},
		{"content: other", bulk.ByContent, "two", old, old.Add(time.Minute), false, ""},
		{"never", bulk.Never, "one", old, old.Add(time.Minute), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			src, dst := t.TempDir(), t.TempDir()
			w.write(src+"/a", []byte("one"))
			w.write(dst+"/a", []byte(c.text))
			for name, at := range map[string]time.Time{src + "/a": c.src, dst + "/a": c.dst} {
				if err := os.Chtimes(name, time.Time{}, at); err != nil {
					t.Fatal(err)
				}
			}
			sum, ends, err := w.sync(src, dst, &bulk.SyncOptions{Compare: c.compare}, &bulk.Options{Times: c.times})
			if err != nil || ends[src+"/a"].Reason != c.want || (sum.Done == 1) != (c.want == "") {
				t.Fatalf("%+v, %+v, %v; want the reason %q", sum, ends, err, c.want)
			}
			if c.want != "" {
				return
			}
			diff(t, "tree", w.tree(dst), map[string]string{"a": "one"})
			fi, err := os.Stat(dst + "/a")
			if err != nil || fi.ModTime().Equal(c.src) != c.times {
				t.Errorf("time %v, source %v, kept: %v", fi.ModTime(), c.src, c.times)
			}
		})
	}
}

// TestD2 is about syncs that take what a listing has not said for absence:
// whatever breaks off, and wherever, nothing is removed and the error is told.
func TestD2ListingErrorDeletesNothing(t *testing.T) {
	const n = 20
	for _, in := range []string{"s", "d"} {
		for after := range int64(n + 1) {
			w := newWorld(t)
			w.seed(names("mem://s/t/x", n/2)...)
			w.seed(names("mem://s/t/y", n/2)...)
			w.seed(names("mem://d/t/x", n/2)...)
			w.seed(names("mem://d/t/z", n/2)...)
			before := w.tree("mem://d/t/z")
			w.faults[in].Add(&faultfs.Rule{Op: "list", N: after, Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)})
			_, _, err := w.sync("mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true, MaxDelete: -1}, nil)
			w.faults[in].Clear()
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s breaks off after %d: error %v", in, after, err)
			}
			diff(t, "not at the source", w.tree("mem://d/t/z"), before)
		}
	}
}

// A directory that cannot be read, below others that can, is an error, not
// empty; nothing is removed for it.
func TestD4ErrorsDeepInATreeAreTold(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Permission, fault.Unavailable, fault.NotExist} {
		w := newWorld(t)
		w.wrap = func(name string, d driver.FS) driver.FS {
			if name == "s" {
				return &unreadable{FS: d, dir: "t/b/deep", kind: kind}
			}
			return d
		}
		w.seed("mem://s/t/a", "mem://s/t/b/deep/f", "mem://s/t/c", "mem://d/t/a", "mem://d/t/b/deep/f", "mem://d/t/c")
		_, _, err := w.sync("mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true}, nil)
		if fault.KindOf(err) != kind {
			t.Errorf("kind %v: error %v", kind, err)
		}
		diff(t, "destination", keys(w.tree("mem://d/t")), []string{"a", "b/deep/f", "c"})
	}
}

// An unreadable store fails to list one directory, also as part of a tree.
type unreadable struct {
	driver.FS
	dir  string
	kind fault.Kind
}

func (u *unreadable) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for e, err := range u.FS.List(ctx, dir, opts) {
			if strings.HasPrefix(e.Path, u.dir+"/") {
				yield(driver.Entry{}, fault.New("list", u.dir, u.kind, nil))
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Copies that failed are not counted as done, they are errors of the run, and
// nothing is removed after one: it may be all that is left.
func TestD3FailedCopiesAreToldAndNothingIsRemoved(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 10)...)
	w.seed("mem://d/t/extra")
	w.faults["d"].Add(&faultfs.Rule{Op: "commit", Path: "t/0003", Err: fault.New("", "", fault.Permission, nil)})
	sum, ends, err := w.sync("mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true}, nil)
	var items *bulk.ItemsError
	if !errors.As(err, &items) || sum.Failed != 1 || sum.Done != 9 || sum.Skipped != 1 || len(sum.Errors) != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if ev := ends["mem://s/t/0003"]; ev.Status != bulk.Failed || fault.KindOf(ev.Err) != fault.Permission {
		t.Errorf("the copy that failed ended as %+v", ev)
	}
	if ev := ends["mem://d/t/extra"]; ev.Status != bulk.Skipped || !strings.Contains(ev.Reason, "a copy failed") {
		t.Errorf("the removal ended as %+v", ev)
	}
	if got := w.tree("mem://d/t"); len(got) != 10 || got["extra"] == "" || got["0003"] != "" {
		t.Errorf("destination %q", got)
	}
}

func TestSyncGuards(t *testing.T) {
	seed := func(w *world) {
		w.seed(names("mem://s/t", 3)...)
		w.seed(names("mem://d/t/x", 5)...)
		w.seed("mem://s/one", "mem://empty/other")
		w.write("mem://empty/t/", nil)
	}
	for _, c := range []struct {
		name, src, dst string
		opts           bulk.SyncOptions
		kind           fault.Kind
		left           int // objects below mem://d/t
	}{
		{"too many", "mem://s/t", "mem://d/t", bulk.SyncOptions{Delete: true, MaxDelete: 4}, fault.Refused, 8},
		{"just enough", "mem://s/t", "mem://d/t", bulk.SyncOptions{Delete: true, MaxDelete: 5}, fault.None, 3},
		{"no bound", "mem://s/t", "mem://d/t", bulk.SyncOptions{Delete: true, MaxDelete: -1}, fault.None, 3},
		{"nothing passes the filter at the source", "mem://s/t", "mem://d/t",
			bulk.SyncOptions{Delete: true, Filter: &bulk.Filter{Include: []string{"x/*"}}}, fault.Refused, 5},
		{"filter keeps what it leaves out", "mem://s/t", "mem://d/t",
			bulk.SyncOptions{Delete: true, Filter: &bulk.Filter{Exclude: []string{"x/0001"}}}, fault.None, 4},
		{"a bound on size is no reason to remove", "mem://s/t", "mem://d/t",
			bulk.SyncOptions{Delete: true, MaxDelete: 5, Filter: &bulk.Filter{MinSize: 1 << 20}}, fault.None, 0},
		{"absent source", "mem://s/q", "mem://d/t", bulk.SyncOptions{Delete: true}, fault.NotExist, 5},
		{"object as source", "mem://s/one", "mem://d/t", bulk.SyncOptions{}, fault.Invalid, 5},
		{"object as destination", "mem://s/t", "mem://s/one", bulk.SyncOptions{}, fault.Invalid, 5},
		{"itself", "mem://s/t", "mem://s/t/", bulk.SyncOptions{}, fault.Refused, 5},
		{"into itself", "mem://s/t", "mem://s/t/u", bulk.SyncOptions{}, fault.Refused, 5},
		{"bad pattern", "mem://s/t", "mem://d/t", bulk.SyncOptions{Filter: &bulk.Filter{Include: []string{"["}}}, fault.Invalid, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			seed(w)
			_, _, err := w.sync(c.src, c.dst, &c.opts, nil)
			if fault.KindOf(err) != c.kind {
				t.Errorf("error %v, want kind %v", err, c.kind)
			}
			if got := w.tree("mem://d/t"); len(got) != c.left {
				t.Errorf("%d objects are left, want %d: %q", len(got), c.left, keys(got))
			}
		})
	}
}

// An empty source never empties a destination.
func TestSyncEmptySource(t *testing.T) {
	w := newWorld(t)
	src := t.TempDir()
	w.seed(names("mem://d/t", 5)...)
	_, _, err := w.sync(src, "mem://d/t", &bulk.SyncOptions{Delete: true, MaxDelete: -1}, nil)
	if fault.KindOf(err) != fault.Refused || len(w.tree("mem://d/t")) != 5 {
		t.Errorf("%v with %d objects left", err, len(w.tree("mem://d/t")))
	}
	if _, _, err := w.sync(src, "mem://d/t", nil, nil); err != nil {
		t.Errorf("without Delete: %v", err)
	}
}

// A dry run is the run but for the changes: on file systems that refuse every
// change it meets no refusal, and says what the run then does.
func TestSyncDryRunChangesNothing(t *testing.T) {
	locked := false
	w := newWorld(t)
	w.wrap = func(_ string, d driver.FS) driver.FS { return &lock{FS: d, ro: rofs.New(d), locked: &locked} }
	w.seed(names("mem://s/t", 5)...)
	w.seed("mem://d/t/0001", "mem://d/t/extra")
	w.write("mem://d/t/0002", []byte("mem://x/t/0002"))
	opts := &bulk.SyncOptions{Delete: true, Compare: bulk.ByContent, DryRun: true}
	before := w.tree("mem://d/t")
	locked = true
	dry, ends, err := w.sync("mem://s/t", "mem://d/t", opts, nil)
	if err != nil || dry.Failed != 0 || dry.Done != 0 || dry.Bytes != 0 {
		t.Fatalf("%+v, %v", dry, err)
	}
	diff(t, "destination", w.tree("mem://d/t"), before)
	if _, _, err := w.sync("mem://s/t", "mem://d/t", nil, nil); err == nil {
		t.Fatal("the file systems refuse nothing: the test proves nothing")
	}
	would := map[string]bool{}
	for id, ev := range ends {
		would[id] = ev.Reason == "dry run"
	}
	locked = false
	opts.DryRun = false
	_, ends, err = w.sync("mem://s/t", "mem://d/t", opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, ev := range ends {
		if would[id] != (ev.Status == bulk.Done) {
			t.Errorf("%s: the dry run said %v, the run %v", id, would[id], ev.Status)
		}
	}
	diff(t, "tree", keys(w.tree("mem://d/t")), keys(w.tree("mem://s/t")))
}

// A lock is a store that can be made read-only.
type lock struct {
	driver.FS
	ro     driver.FS
	locked *bool
}

func (l *lock) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if *l.locked {
		return l.ro.Create(ctx, path, opts)
	}
	return l.FS.Create(ctx, path, opts)
}

func (l *lock) Remove(ctx context.Context, path string) error {
	if *l.locked {
		return l.ro.Remove(ctx, path)
	}
	return l.FS.Remove(ctx, path)
}

// What was interrupted is resumed: the second run copies only the rest.
func TestSyncResumes(t *testing.T) {
	w := newWorld(t)
	const n = 40
	w.seed(names("mem://s/t", n)...)
	w.seed("mem://d/other")
	w.faults["d"].Add(&faultfs.Rule{Op: "commit", Skip: 15, Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)})
	sum, _, err := w.sync("mem://s/t", "mem://d/t", nil, &bulk.Options{Jobs: 1})
	if err == nil || sum.Done != 15 {
		t.Fatalf("%+v, %v", sum, err)
	}
	w.faults["d"].Clear()
	sum, _, err = w.sync("mem://s/t", "mem://d/t", nil, nil)
	if err != nil || sum.Done != n-15 || sum.Skipped != 15 {
		t.Fatalf("%+v, %v", sum, err)
	}
	diff(t, "tree", w.tree("mem://d/t"), w.tree("mem://s/t"))
}

// A listing out of order would pair the wrong names.
func TestSyncRefusesAListingOutOfOrder(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(name string, d driver.FS) driver.FS {
		if name == "s" {
			return swapped{d}
		}
		return d
	}
	w.seed(names("mem://s/t", 6)...)
	w.seed(names("mem://d/t", 9)...)
	_, _, err := w.sync("mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true}, nil)
	if fault.KindOf(err) != fault.Internal || len(w.tree("mem://d/t")) != 9 {
		t.Errorf("%v with %d objects left", err, len(w.tree("mem://d/t")))
	}
}

// swapped lists its entries in pairs the wrong way round.
type swapped struct{ driver.FS }

func (s swapped) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		var held []driver.Entry
		for e, err := range s.FS.List(ctx, dir, opts) {
			if err != nil {
				yield(e, err)
				return
			}
			if held = append(held, e); len(held) == 2 {
				if !yield(held[1], nil) || !yield(held[0], nil) {
					return
				}
				held = nil
			}
		}
	}
}

// Random trees on both sides come out equal, and the steps are those that a
// comparison of the two maps asks for.
func TestSyncRandomTrees(t *testing.T) {
	for seed := range byte(20) {
		w := newWorld(t)
		bits := pattern(400, seed)
		w.seed("mem://s/t/always")
		for i := range 200 {
			name := fmt.Sprintf("%c%c/%c%d", 'a'+bits[i]%3, "!/0"[bits[i]%3], 'x'+bits[i+200]%3, i%9)
			if bits[i]&64 != 0 {
				w.write("mem://s/t/"+name, []byte(name))
			}
			if bits[i]&128 != 0 {
				w.write("mem://d/t/"+name, []byte(name[:1+int(bits[i+200])%len(name)]))
			}
		}
		_, _, err := w.sync("mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true, Compare: bulk.ByContent}, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		diff(t, fmt.Sprint("seed ", seed), w.tree("mem://d/t"), w.tree("mem://s/t"))
	}
}

// Steps can be left at any point, and consumed again.
func TestSyncStepsBreak(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 6)...)
	w.seed(names("mem://d/t/x", 6)...)
	p, err := bulk.PlanSync(t.Context(), w.Mux, "mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true})
	if err != nil {
		t.Fatal(err)
	}
	for limit := range 13 {
		n := 0
		for st, err := range p.Steps(t.Context(), false) {
			if err != nil {
				t.Fatal(err)
			}
			if want := bulk.SyncCopy; n >= 6 && st.Action != bulk.SyncRemove || n < 6 && st.Action != want {
				t.Errorf("step %d is %+v", n, st)
			}
			if n++; n == limit {
				break
			}
		}
		if limit > 0 && n != limit {
			t.Errorf("%d steps, want %d", n, limit)
		}
	}
}

func TestSyncCanceled(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 100)...)
	w.seed("mem://d/t/extra")
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	p, err := bulk.PlanSync(ctx, w.Mux, "mem://s/t", "mem://d/t", &bulk.SyncOptions{Delete: true})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := bulk.Sync(ctx, p, &bulk.Options{Jobs: 2, Event: func(bulk.Event) { cancel(because) }})
	if !errors.Is(err, because) || sum.Failed != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if w.tree("mem://d/t")["extra"] == "" {
		t.Error("a canceled sync has removed something")
	}
}
