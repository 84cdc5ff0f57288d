package drivertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// tree is in byte order. "-" and "." sort before "/", "0" after it.
var tree = []string{"D", "a", "d-x", "d.y", "d/1", "d/2-", "d/2/deep/er", "d/20", "d0", "e/f", "z"}

func testList(t *testing.T, s *suite) {
	s.names(t, tree...)
	for _, c := range []struct {
		dir, prefix string
		want        []string
	}{
		{"", "", []string{"D", "a", "d-x", "d.y", "d/", "d0", "e/", "z"}},
		{"", "d", []string{"d-x", "d.y", "d/", "d0"}},
		{"", "d.", []string{"d.y"}},
		{"", "absent", nil},
		{"d", "", []string{"d/1", "d/2-", "d/2/", "d/20"}},
		{"d", "2", []string{"d/2-", "d/2/", "d/20"}},
		{"d/2/deep", "", []string{"d/2/deep/er"}},
	} {
		got := keys(s.list(t, c.dir, driver.ListOptions{Prefix: c.prefix}))
		if !slices.Equal(got, c.want) {
			t.Errorf("list %q prefix %q = %q, want %q", c.dir, c.prefix, got, c.want)
		}
	}
	for _, c := range []struct {
		dir, prefix string
		want        []string
	}{
		{"", "", tree},
		{"", "d", tree[2:9]},
		{"", "d/", tree[4:8]},
		{"", "d/2", tree[5:8]},
		{"", "d/2/d", tree[6:7]},
		{"d", "", tree[4:8]},
		{"d", "2/deep/e", tree[6:7]},
		{"d/2", "", tree[6:7]},
		{"d", "absent/x", nil},
	} {
		got := paths(s.list(t, c.dir, driver.ListOptions{Prefix: c.prefix, Recursive: true}))
		if !slices.Equal(got, c.want) {
			t.Errorf("list -R %q prefix %q = %q, want %q", c.dir, c.prefix, got, c.want)
		}
	}
	s.checkEntries(t)
	s.checkBreak(t)
}

// checkEntries compares what a listing and Stat say.
func (s *suite) checkEntries(t *testing.T) {
	all := s.list(t, "", driver.ListOptions{Recursive: true})
	if n := len(all) - len(tree); s.Dirs && n != 4 || !s.Dirs && n != 0 {
		t.Errorf("list -R has %d directories: %q", n, keys(all))
	}
	for _, e := range append(all, s.list(t, "", driver.ListOptions{})...) {
		st, err := s.FS.Stat(s.ctx, e.Path)
		switch {
		case err != nil:
			t.Errorf("stat of listed %q: %v", e.Path, err)
		case e.Kind == driver.Dir && (e.Size != -1 || st.Size != -1):
			t.Errorf("directory %q has %d bytes when listed and %d by itself, want -1", e.Path, e.Size, st.Size)
		case st.Kind != e.Kind:
			t.Errorf("%q is listed as %v, and is a %v", e.Path, e.Kind, st.Kind)
		case e.Kind == driver.File && e.Size >= 0 && e.Size != st.Size:
			t.Errorf("%q is listed with %d bytes, and has %d", e.Path, e.Size, st.Size)
		case e.Version != "" && st.Version != "" && e.Version != st.Version:
			t.Errorf("%q is listed as version %q, and is %q", e.Path, e.Version, st.Version)
		}
	}
}

// checkBreak leaves listings early, at every entry.
func (s *suite) checkBreak(t *testing.T) {
	for _, recursive := range []bool{false, true} {
		for stop := 1; stop <= 4; stop++ {
			n := 0
			for _, err := range s.FS.List(s.ctx, "", driver.ListOptions{Recursive: recursive}) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == stop {
					break
				}
			}
			if n != stop {
				t.Errorf("left the listing after %d entries, want %d", n, stop)
			}
		}
	}
}

func testListAfter(t *testing.T, s *suite) {
	s.names(t, tree...)
	for _, opts := range []driver.ListOptions{{}, {Recursive: true}, {Prefix: "d"}, {Prefix: "d/", Recursive: true}} {
		full := keys(s.list(t, "", opts))
		for i, k := range full {
			opts.After = k
			if got := keys(s.list(t, "", opts)); !slices.Equal(got, full[i+1:]) {
				t.Errorf("list %+v = %q, want %q", opts, got, full[i+1:])
			}
		}
		opts.After = "\x01" // before all
		if got := keys(s.list(t, "", opts)); !slices.Equal(got, full) {
			t.Errorf("list %+v = %q, want %q", opts, got, full)
		}
		opts.After = "zz" // behind all
		if got := s.list(t, "", opts); len(got) > 0 {
			t.Errorf("list %+v = %q, want nothing", opts, keys(got))
		}
	}
	// Between names, and inside a directory.
	for after, want := range map[string][]string{"d/2": tree[5:], "d/2/x": tree[7:], "d/1\x01": tree[5:], "b": tree[2:]} {
		if got := paths(s.list(t, "", driver.ListOptions{Recursive: true, After: after})); !slices.Equal(got, want) {
			t.Errorf("list -R after %q = %q, want %q", after, got, want)
		}
	}
}

func testListEmpty(t *testing.T, s *suite) {
	for _, recursive := range []bool{false, true} {
		if got := s.list(t, "", driver.ListOptions{Recursive: recursive}); len(got) > 0 {
			t.Errorf("an empty store lists %q", keys(got))
		}
	}
}

func testListAbsent(t *testing.T, s *suite) {
	s.names(t, "f", "d/x", "dd")
	for _, dir := range []string{"absent", "d/absent", "f", "d/x", "d/x/y"} {
		for _, recursive := range []bool{false, true} {
			got, err := collect(s.FS.List(s.ctx, dir, driver.ListOptions{Recursive: recursive}))
			if len(got) > 0 {
				t.Errorf("list %q = %q, want an error", dir, keys(got))
			}
			wantKind(t, "list "+dir, dir, err, fault.NotExist)
		}
	}
}

// pageObjects is more than the 1,000 that S3 lists at a time.
const pageObjects = 1200

func testPage(t *testing.T, s *suite) {
	var want []string
	files := map[string][]byte{}
	for i := range pageObjects {
		p := fmt.Sprintf("p/%04d", i)
		want = append(want, p)
		files[p] = []byte("x")
	}
	s.seed(t, files)
	for _, recursive := range []bool{false, true} {
		opts := driver.ListOptions{Recursive: recursive}
		if got := paths(s.list(t, "p", opts)); !slices.Equal(got, want) {
			t.Errorf("list of %d objects (recursive %v) has %d", len(want), recursive, len(got))
		}
		opts.After = want[1100]
		if got := paths(s.list(t, "p", opts)); !slices.Equal(got, want[1101:]) {
			t.Errorf("list after %q has %d objects, want %d", opts.After, len(got), len(want[1101:]))
		}
	}
}
