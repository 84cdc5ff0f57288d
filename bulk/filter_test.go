package bulk_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

func TestFilterNames(t *testing.T) {
	names := []string{"a.gz", "a.txt", "d/a.gz", "d/e/b.gz", "d/e/c", "e/x"}
	for _, c := range []struct{ include, exclude, want string }{
		{"", "", "a.gz a.txt d/a.gz d/e/b.gz d/e/c e/x"},
		{"*.gz", "", "a.gz d/a.gz d/e/b.gz"},
		{"", "*.gz", "a.txt d/e/c e/x"},
		{"*.gz", "d/**", "a.gz"},
		{"d/*.gz", "", "d/a.gz"},
		{"d/", "", "d/a.gz d/e/b.gz d/e/c"},
		{"", "e/", "a.gz a.txt d/a.gz"},
		{"d/e/", "", "d/e/b.gz d/e/c"},
		{"a.* x", "*.txt", "a.gz d/a.gz e/x"},
		{"**/e/*", "", "d/e/b.gz d/e/c e/x"},
		{"/a.gz", "", "a.gz"},
	} {
		f := &bulk.Filter{Include: strings.Fields(c.include), Exclude: strings.Fields(c.exclude)}
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range names {
			if f.Name(n) {
				got = append(got, n)
			}
		}
		diff(t, c.include+" but "+c.exclude, strings.Join(got, " "), c.want)
	}
	var none *bulk.Filter
	if !none.Name("x") || !none.Match("x", fsys.Entry{}) || none.Check() != nil {
		t.Error("a nil filter refuses something")
	}
	for _, bad := range []string{"", "[a"} {
		if err := (&bulk.Filter{Exclude: []string{bad}}).Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("pattern %q: %v", bad, err)
		}
	}
}

func TestFilterBounds(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	file := func(size int64, mod time.Time) fsys.Entry {
		return fsys.Entry{Kind: fsys.File, Size: size, ModTime: mod}
	}
	for _, c := range []struct {
		name string
		f    bulk.Filter
		e    fsys.Entry
		want bool
	}{
		{"at least", bulk.Filter{MinSize: 5}, file(5, noon), true},
		{"less", bulk.Filter{MinSize: 5}, file(4, noon), false},
		{"at most", bulk.Filter{MaxSize: 5}, file(5, noon), true},
		{"more", bulk.Filter{MaxSize: 5}, file(6, noon), false},
		{"empty", bulk.Filter{MaxSize: -1}, file(0, noon), true},
		{"not empty", bulk.Filter{MaxSize: -1}, file(1, noon), false},
		{"unknown size", bulk.Filter{MaxSize: 5}, file(-1, noon), false},
		{"newer", bulk.Filter{Newer: noon.Add(-time.Hour)}, file(1, noon), true},
		{"not newer", bulk.Filter{Newer: noon}, file(1, noon), false},
		{"older", bulk.Filter{Older: noon.Add(time.Hour)}, file(1, noon), true},
		{"not older", bulk.Filter{Older: noon}, file(1, noon), false},
		{"unknown time", bulk.Filter{Older: noon}, file(1, time.Time{}), false},
		{"no bound", bulk.Filter{}, file(-1, time.Time{}), true},
	} {
		if got := c.f.Match("x", c.e); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A filter selects what is copied and removed, by names as seen from what was
// named; directories stay where it leaves something out.
func TestFilterInPlans(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir+"/t/a.gz", dir+"/t/d/b.gz", dir+"/t/d/c")
	only := &bulk.Filter{Include: []string{"*.gz"}, Exclude: []string{"d/**"}}
	for arg, want := range map[string]string{
		dir + "/t/": "a.gz", dir + "/t/a.gz": "", dir + "/t/d/c": "", dir + "/t/*": "a.gz", dir + "/t/**": "a.gz",
	} {
		got, err := w.plan([]string{arg}, "mem://d/", &bulk.PlanOptions{Recursive: true, Filter: only})
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = dir + "/t/" + want + " -> mem://d/" + want
		} else if strings.HasSuffix(arg, "a.gz") {
			want = dir + "/t/a.gz -> mem://d/a.gz"
		}
		diff(t, arg, strings.Join(got, " "), want)
	}
	plan, err := bulk.PlanRemove(t.Context(), w.Mux, []string{dir + "/t"}, &bulk.PlanOptions{Recursive: true, Filter: only})
	if err != nil || len(plan.Objects) != 1 || len(plan.Dirs) != 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if _, err := bulk.Remove(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	diff(t, "left", keys(w.tree(dir+"/t")), []string{"d/b.gz", "d/c"})
}
