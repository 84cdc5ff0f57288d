package bulk_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// move runs a move and returns how each item ended.
func (w *world) move(args []string, dst string, opts *bulk.Options) (bulk.Summary, map[string]bulk.Event, error) {
	w.t.Helper()
	ctx := context.Background()
	plan, err := bulk.PlanMove(ctx, w.Mux, args, dst, &bulk.PlanOptions{Recursive: true})
	if err != nil {
		return bulk.Summary{}, nil, err
	}
	ends := &events{t: w.t}
	var o bulk.Options
	if opts != nil {
		o = *opts
	}
	o.Event = ends.add
	sum, err := bulk.Move(ctx, plan, &o)
	return sum, ends.byID, err
}

func TestMove(t *testing.T) {
	for _, c := range []struct{ name, src, dst string }{
		{"between stores", "mem://s/t", "mem://d/u"}, {"inside a store", "mem://s/t", "mem://s/u"},
		{"down", "mem://s/t", ""}, {"up", "", "mem://d/u"}, {"local", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.src == "" {
				c.src = t.TempDir() + "/t"
			}
			if c.dst == "" {
				c.dst = t.TempDir() + "/deep/u"
			}
			w.seed(c.src+"/a", c.src+"/d/b", c.src+"/d/e/c")
			w.seed(c.dst + "/a")
			want := map[string]string{"a": c.src + "/a", "d/b": c.src + "/d/b", "d/e/c": c.src + "/d/e/c"}
			sum, _, err := w.move([]string{c.src + "/"}, c.dst, nil)
			if err != nil || sum.Done != 3 || sum.Bytes != int64(len(c.src+"/a"+c.src+"/d/b"+c.src+"/d/e/c")) {
				t.Fatalf("%+v, %v", sum, err)
			}
			diff(t, "destination", w.tree(c.dst), want)
			diff(t, "source", w.tree(c.src), map[string]string{})
		})
	}
}

// Directories that were moved whole are gone; those that were not stay.
func TestMoveLeavesNoEmptyDirectories(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir+"/t/a", dir+"/t/d/e/b", dir+"/kept/c")
	if err := os.MkdirAll(dir+"/t/empty/too", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.move([]string{dir + "/t", dir + "/kept/"}, dir+"/n/", nil); err != nil {
		t.Fatal(err)
	}
	diff(t, "files", keys(w.tree(dir)), []string{"n/c", "n/t/a", "n/t/d/e/b"})
	for name, want := range map[string]bool{"t": false, "kept": true} {
		if _, err := os.Stat(dir + "/" + name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A local move is a rename: the file itself, links as links.
func TestMoveRenames(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir + "/a")
	if err := os.Symlink("a", dir+"/link"); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	was, err := os.Stat(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.move([]string{dir + "/a", dir + "/link"}, dir+"/n/", nil); err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(dir + "/n/a")
	if err != nil || !os.SameFile(was, is) {
		t.Errorf("the file was copied, %v", err)
	}
	if to, err := os.Readlink(dir + "/n/link"); err != nil || to != "a" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if n := w.faults["local"].Calls("copy") + w.faults["local"].Calls("open"); n != 0 {
		t.Errorf("%d files were opened or copied", n)
	}
}

// Two names of one file: renaming one to the other does nothing, and removing
// the source would be a loss where names are the same but for their case.
func TestMoveOntoTheSameFile(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir + "/a")
	if err := os.Link(dir+"/a", dir+"/b"); err != nil {
		t.Skip("no hard links here:", err)
	}
	_, ends, err := w.move([]string{dir + "/a"}, dir+"/b", nil)
	if fault.KindOf(ends[dir+"/a"].Err) != fault.Refused || err == nil || len(w.tree(dir)) != 2 {
		t.Errorf("%v, %q", err, keys(w.tree(dir)))
	}
}

func TestMoveNoClobber(t *testing.T) {
	local := t.TempDir()
	for _, c := range [][2]string{{"mem://s/t", "mem://d/u"}, {"mem://s/t", "mem://s/u"}, {local + "/t", local + "/u"}} {
		w := newWorld(t)
		w.seed(c[0]+"/a", c[0]+"/b")
		w.write(c[1]+"/a", []byte("mine"))
		sum, ends, err := w.move([]string{c[0] + "/"}, c[1], &bulk.Options{NoClobber: true})
		if err != nil || sum.Done != 1 || sum.Skipped != 1 || ends[c[0]+"/a"].Reason != "exists" {
			t.Errorf("%+v, %v", sum, err)
		}
		diff(t, "destination", w.tree(c[1]), map[string]string{"a": "mine", "b": c[0] + "/b"})
		diff(t, "source", keys(w.tree(c[0])), []string{"a"})
	}
}

// At every step of a move that fails, every object is still somewhere, whole;
// one that is told as moved is at its destination.
func TestMoveFailsAtEachStep(t *testing.T) {
	const items = 4
	steps := func(rule *faultfs.Rule, in, to string) (calls int) {
		w := newWorld(t)
		w.seed(names("mem://s/t", items)...)
		w.seed("mem://d/other")
		before := w.faults[in].Calls("")
		if rule != nil {
			w.faults[in].Add(rule)
		}
		sum, ends, err := w.move([]string{"mem://s/t/"}, to, &bulk.Options{Jobs: 2})
		calls = w.faults[in].Calls("") - before
		w.faults[in].Clear()
		src, dst := w.tree("mem://s/t"), w.tree(to)
		for _, url := range names("mem://s/t", items) {
			name := strings.TrimPrefix(url, "mem://s/t/")
			if src[name] != url && dst[name] != url {
				t.Errorf("%+v: %s is lost", rule, url)
			}
			if got, ok := dst[name]; ok && got != url {
				t.Errorf("%+v: %s arrived as %q", rule, url, got)
			}
			if ends[url].Status == bulk.Done && (dst[name] != url || src[name] != "") {
				t.Errorf("%+v: %s is told as moved, and is not", rule, url)
			}
		}
		if (err == nil) != (sum.Done == items) {
			t.Errorf("%+v: %v with %+v", rule, err, sum)
		}
		return calls
	}
	for _, c := range [][2]string{{"s", "mem://d/u"}, {"d", "mem://d/u"}, {"s", "mem://s/u"}} {
		n := steps(nil, c[0], c[1])
		if n < items {
			t.Fatalf("only %d operations in %s", n, c[0])
		}
		for i := range n {
			steps(&faultfs.Rule{Skip: i, Times: 1, N: 3, Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)}, c[0], c[1])
		}
	}
}

// replacer is a store whose object a is replaced as soon as it was read or
// copied.
type replacer struct{ driver.FS }

func (r replacer) replace(ctx context.Context) {
	w, err := r.FS.Create(ctx, "t/a", driver.CreateOptions{})
	if err == nil {
		_, _ = w.Write([]byte("newer"))
		_, err = w.Commit(ctx)
	}
	if err != nil {
		panic(err)
	}
}

func (r replacer) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	in, err := r.FS.Open(ctx, path, opts)
	if path == "t/a" && err == nil {
		r.replace(ctx)
	}
	return in, err
}

func (r replacer) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	e, err := r.FS.(driver.Copier).Copy(ctx, src, dst)
	if src == "t/a" {
		r.replace(ctx)
	}
	return e, err
}

// What was written to a source while it was copied is not removed.
func TestMoveKeepsASourceThatChanged(t *testing.T) {
	for _, dst := range []string{"mem://d/u", "mem://s/u"} {
		w := newWorld(t)
		armed := false
		w.wrap = func(name string, d driver.FS) driver.FS {
			if name == "s" {
				return &arming{replacer{d}, &armed}
			}
			return d
		}
		w.seed("mem://s/t/a", "mem://s/t/b")
		armed = true
		sum, ends, err := w.move([]string{"mem://s/t/"}, dst, nil)
		armed = false
		if err == nil || sum.Failed != 1 || fault.KindOf(ends["mem://s/t/a"].Err) != fault.Changed {
			t.Errorf("%+v, %v", sum, err)
		}
		diff(t, "source", w.tree("mem://s/t"), map[string]string{"a": "newer"})
	}
}

// arming is a replacer once it is armed.
type arming struct {
	replacer
	armed *bool
}

func (a *arming) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if *a.armed {
		return a.replacer.Open(ctx, path, opts)
	}
	return a.FS.Open(ctx, path, opts)
}

func (a *arming) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	if *a.armed {
		return a.replacer.Copy(ctx, src, dst)
	}
	return a.FS.(driver.Copier).Copy(ctx, src, dst)
}
