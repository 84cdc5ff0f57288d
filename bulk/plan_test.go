package bulk_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// The tree that every cell of the table is planned over, below the source
// and below the destination.
var (
	planSource = []string{"a/f", "a/d/x", "a/d/s/y", "a/e/x", "b/f", "one/only"}
	planTarget = []string{"file", "dir/old"}
)

// planCells are the cells of docs/decisions/0010-where-a-copy-lands.md. Source
// and destination stand for S/… and D/…; want is "source>destination".
var planCells = []struct {
	name      string
	src       []string
	dst       string
	recursive bool
	flatten   bool
	want      string
	kind      fault.Kind
}{
	{name: "object to a new name", src: []string{"a/f"}, dst: "n", want: "a/f>n"},
	{name: "object to a deep new name", src: []string{"a/f"}, dst: "n/m", want: "a/f>n/m"},
	{name: "object with R", src: []string{"a/f"}, dst: "n", recursive: true, want: "a/f>n"},
	{name: "object over an object", src: []string{"a/f"}, dst: "file", want: "a/f>file"},
	{name: "object to a new directory", src: []string{"a/f"}, dst: "n/", want: "a/f>n/f"},
	{name: "object into a directory", src: []string{"a/f"}, dst: "dir/", want: "a/f>dir/f"},
	{name: "object onto a directory", src: []string{"a/f"}, dst: "dir", kind: fault.Invalid},
	{name: "object into an object", src: []string{"a/f"}, dst: "file/", kind: fault.Invalid},

	{name: "directory without R", src: []string{"a/d"}, dst: "n", kind: fault.IsDir},
	{name: "directory with slash without R", src: []string{"a/d/"}, dst: "n/", kind: fault.IsDir},
	{name: "directory to a new name", src: []string{"a/d"}, dst: "n", recursive: true, want: "a/d/s/y>n/s/y a/d/x>n/x"},
	{name: "directory to a new directory", src: []string{"a/d"}, dst: "n/", recursive: true, want: "a/d/s/y>n/d/s/y a/d/x>n/d/x"},
	{name: "directory into a directory", src: []string{"a/d"}, dst: "dir/", recursive: true, want: "a/d/s/y>dir/d/s/y a/d/x>dir/d/x"},
	{name: "directory onto a directory", src: []string{"a/d"}, dst: "dir", recursive: true, kind: fault.Invalid},
	{name: "directory onto an object", src: []string{"a/d"}, dst: "file", recursive: true, kind: fault.Invalid},
	{name: "directory into an object", src: []string{"a/d"}, dst: "file/", recursive: true, kind: fault.Invalid},

	{name: "contents to a new name", src: []string{"a/d/"}, dst: "n", recursive: true, want: "a/d/s/y>n/s/y a/d/x>n/x"},
	{name: "contents to a new directory", src: []string{"a/d/"}, dst: "n/", recursive: true, want: "a/d/s/y>n/s/y a/d/x>n/x"},
	{name: "contents into a directory", src: []string{"a/d/"}, dst: "dir", recursive: true, want: "a/d/s/y>dir/s/y a/d/x>dir/x"},
	{name: "contents into a directory with slash", src: []string{"a/d/"}, dst: "dir/", recursive: true, want: "a/d/s/y>dir/s/y a/d/x>dir/x"},
	{name: "contents onto an object", src: []string{"a/d/"}, dst: "file", recursive: true, kind: fault.Invalid},
	{name: "object with slash", src: []string{"a/f/"}, dst: "n", recursive: true, kind: fault.NotExist},

	{name: "pattern to a new name", src: []string{"a/*/x"}, dst: "n", want: "a/d/x>n/d/x a/e/x>n/e/x"},
	{name: "pattern to a new directory", src: []string{"a/*/x"}, dst: "n/", want: "a/d/x>n/d/x a/e/x>n/e/x"},
	{name: "pattern into a directory", src: []string{"a/*/x"}, dst: "dir", want: "a/d/x>dir/d/x a/e/x>dir/e/x"},
	{name: "pattern onto an object", src: []string{"a/*/x"}, dst: "file", kind: fault.Invalid},
	{name: "pattern with one match", src: []string{"one/*"}, dst: "n", want: "one/only>n/only"},
	{name: "pattern below a directory", src: []string{"a/d/*"}, dst: "n", want: "a/d/x>n/x"},
	{name: "pattern with R takes trees", src: []string{"a/*"}, dst: "n", recursive: true, want: "a/d/s/y>n/d/s/y a/d/x>n/d/x a/e/x>n/e/x a/f>n/f"},
	{name: "deep pattern", src: []string{"a/**"}, dst: "n", want: "a/d/s/y>n/d/s/y a/d/x>n/d/x a/e/x>n/e/x a/f>n/f"},
	{name: "deep pattern with R", src: []string{"a/**"}, dst: "n", recursive: true, want: "a/d/s/y>n/d/s/y a/d/x>n/d/x a/e/x>n/e/x a/f>n/f"},
	{name: "pattern without a match", src: []string{"a/q*"}, dst: "n", kind: fault.NotExist},
	{name: "quoted wildcard is a name", src: []string{`a/\*`}, dst: "n", kind: fault.NotExist},

	{name: "absent", src: []string{"a/q"}, dst: "n", kind: fault.NotExist},
	{name: "several to a new name", src: []string{"a/f", "a/d/x"}, dst: "n", want: "a/f>n/f a/d/x>n/x"},
	{name: "several to a new directory", src: []string{"a/f", "a/d/x"}, dst: "n/", want: "a/f>n/f a/d/x>n/x"},
	{name: "several into a directory", src: []string{"a/f", "a/d/x"}, dst: "dir", want: "a/f>dir/f a/d/x>dir/x"},
	{name: "several onto an object", src: []string{"a/f", "a/d/x"}, dst: "file", kind: fault.Invalid},
	{name: "several of one name", src: []string{"a/f", "b/f"}, dst: "n", kind: fault.Refused},
	{name: "several with one absent", src: []string{"a/f", "a/q"}, dst: "n", kind: fault.NotExist},
	{name: "several directories", src: []string{"a/d", "a/e"}, dst: "n", recursive: true, want: "a/d/s/y>n/d/s/y a/d/x>n/d/x a/e/x>n/e/x"},
	{name: "several contents collide", src: []string{"a/d/", "a/e/"}, dst: "n", recursive: true, kind: fault.Refused},
	{name: "object and pattern", src: []string{"b/f", "a/d/*"}, dst: "n", want: "b/f>n/f a/d/x>n/x"},

	{name: "flat directory", src: []string{"a/d"}, dst: "n", recursive: true, flatten: true, want: "a/d/s/y>n/y a/d/x>n/x"},
	{name: "flat pattern", src: []string{"a/d/**"}, dst: "n", flatten: true, want: "a/d/s/y>n/y a/d/x>n/x"},
	{name: "flat pattern collides", src: []string{"a/*/x"}, dst: "n", flatten: true, kind: fault.Refused},
}

func TestWhereACopyLands(t *testing.T) {
	for _, store := range []string{"mem", "local", "local to mem"} {
		t.Run(store, func(t *testing.T) {
			w := newWorld(t)
			s, d := "mem://s/", "mem://d/deep/"
			if store != "mem" {
				s = t.TempDir() + "/"
			}
			if store == "local" {
				d = t.TempDir() + "/"
			}
			for _, name := range planSource {
				w.seed(s + name)
			}
			for _, name := range planTarget {
				w.seed(d + name)
			}
			for _, c := range planCells {
				t.Run(c.name, func(t *testing.T) {
					var args []string
					for _, a := range c.src {
						args = append(args, s+a)
					}
					got, err := w.plan(args, d+c.dst, &bulk.PlanOptions{Recursive: c.recursive, Flatten: c.flatten})
					if want := c.kind; want != fault.None || err != nil {
						if fault.KindOf(err) != want || want == fault.None {
							t.Fatalf("error %v of kind %v, want kind %v", err, fault.KindOf(err), want)
						}
						return
					}
					for i := range got {
						got[i] = strings.ReplaceAll(strings.Replace(strings.Replace(got[i], s, "", 1), d, "", 1), " -> ", ">")
					}
					diff(t, "plan", strings.Join(got, " "), c.want)
				})
			}
		})
	}
}

// A plan that is refused must be refused before its first step, whatever the
// order of the sources.
func TestPlanRefusesOverlap(t *testing.T) {
	for _, c := range []struct {
		name, dst string
		src       []string
		flatten   bool
		kind      fault.Kind
		want      int // steps when not refused
	}{
		{name: "object onto itself", src: []string{"a/f"}, dst: "a/f", kind: fault.Refused},
		{name: "object into its own directory", src: []string{"a/f"}, dst: "a/", kind: fault.Refused},
		{name: "directory onto itself", src: []string{"a/d/"}, dst: "a/d", kind: fault.Refused},
		{name: "directory into its own parent", src: []string{"a/d"}, dst: "a/", kind: fault.Refused},
		{name: "directory into itself", src: []string{"a/d"}, dst: "a/d/", kind: fault.Refused},
		{name: "directory below itself", src: []string{"a"}, dst: "a/d/n", kind: fault.Refused},
		{name: "pattern onto itself", src: []string{"a/*"}, dst: "a", kind: fault.Refused},
		{name: "second of several onto itself", src: []string{"b/f", "a/e/x"}, dst: "a/e/", kind: fault.Refused},
		{name: "flat onto itself", src: []string{"a/e/*"}, dst: "a/e/", flatten: true, kind: fault.Refused},
		{name: "pattern below itself is listed first", src: []string{"a/**"}, dst: "a/n", want: 4},
		{name: "contents one up are listed first", src: []string{"a/d/"}, dst: "a", want: 2},
		{name: "a name that only begins the same", src: []string{"a/d"}, dst: "a/dd", want: 2},
	} {
		for _, local := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t)
				s := "mem://s/"
				if local {
					s = t.TempDir() + "/"
				}
				for _, name := range planSource {
					w.seed(s + name)
				}
				var args []string
				for _, a := range c.src {
					args = append(args, s+a)
				}
				got, err := w.plan(args, s+c.dst, &bulk.PlanOptions{Recursive: true, Flatten: c.flatten})
				if fault.KindOf(err) != c.kind || len(got) != c.want {
					t.Errorf("%d steps and %v, want %d and kind %v", len(got), err, c.want, c.kind)
				}
			})
		}
	}
}

// A copy into what is being listed must not find its own copies there.
func TestPlanIsListedBeforeItFeedsItself(t *testing.T) {
	const n = 3000
	w := newWorld(t)
	w.seed(names("mem://s/a", n)...)
	steps, err := bulk.PlanCopy(t.Context(), w.Mux, []string{"mem://s/a/**"}, "mem://s/a/n", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for st, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
		w.seed(st.Dst.URL())
		if got++; got > n {
			t.Fatalf("step %d copies %s, which the plan has made", got, st.Src.URL())
		}
	}
	if got != n {
		t.Errorf("%d steps, want %d", got, n)
	}
}

// A directory reached through a symbolic link is still the same directory.
func TestPlanSeesThroughLinks(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	w.seed(dir+"/a/d/x", dir+"/a/f")
	if err := os.Symlink(dir+"/a", dir+"/link"); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	_, err := w.plan([]string{dir + "/a/"}, dir+"/link/d/n", &bulk.PlanOptions{Recursive: true})
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("copying a directory below itself by a link gave %v", err)
	}
}

// Dots, and the root of a store, name what is in them.
func TestPlanDots(t *testing.T) {
	w := newWorld(t)
	dir, out := t.TempDir(), t.TempDir()
	w.seed(dir+"/x", dir+"/s/y", "mem://b/k")
	t.Chdir(filepath.Join(dir, "s"))
	for src, want := range map[string]string{
		"..":      dir + "/s/y -> " + out + "/n/s/y " + dir + "/x -> " + out + "/n/x",
		".":       dir + "/s/y -> " + out + "/n/y",
		"mem://b": "mem://b/k -> " + out + "/n/k",
	} {
		got, err := w.plan([]string{src}, out+"/n/", &bulk.PlanOptions{Recursive: true})
		if err != nil {
			t.Fatal(err)
		}
		diff(t, src, strings.Join(got, " "), want)
	}
	got, err := w.plan([]string{dir + "/x"}, ".", nil)
	if err != nil || !slices.Equal(got, []string{dir + "/x -> " + dir + "/s/x"}) {
		t.Errorf("copy to . planned %q, %v", got, err)
	}
}

// Names are bytes: none of them may change where a copy lands.
func TestPlanKeepsNames(t *testing.T) {
	w := newWorld(t)
	odd := []string{"a b", "a\nb", "a\xffb", "#?%20", "[x]*", `back\slash`, "..", "a//b", strings.Repeat("k", 1024)}
	for _, name := range odd {
		w.seed("mem://s/t/" + name)
	}
	got, err := w.plan([]string{"mem://s/t/"}, "mem://d/u/", &bulk.PlanOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range slices.Sorted(slices.Values(odd)) {
		want = append(want, "mem://s/t/"+name+" -> mem://d/u/"+name)
	}
	diff(t, "plan", got, want)
	for _, name := range odd {
		got, err := w.plan([]string{"mem://s/t/" + name}, "mem://d/u", &bulk.PlanOptions{Raw: true})
		if err != nil || len(got) != 1 || got[0] != "mem://s/t/"+name+" -> mem://d/u" {
			t.Errorf("raw %q planned %q, %v", name, got, err)
		}
	}
}
