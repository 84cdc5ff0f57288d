package prefixfs_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/prefixfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func prefixed(t *testing.T, drv driver.FS, prefix string, dots bool) driver.FS {
	t.Helper()
	p, err := prefixfs.New(drv, prefix, &prefixfs.Options{Dots: dots})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dotted reports whether a path has the components that are refused.
func dotted(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(p string) bool { return p == "." || p == ".." })
}

// The names of 1,024 bytes of the suite must fit behind the prefix.
func TestConformance(t *testing.T) {
	for name, dots := range map[string]bool{"dots": true, "no dots": false} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				mem := memfs.New()
				outside := fsys.New(mem, "")
				for _, p := range []string{"a", "a/b0", "a/b-", "z", "a/bc/d", "0"} {
					if _, err := outside.WriteFile(t.Context(), p, []byte(p)); err != nil {
						t.Fatal(err)
					}
				}
				h := drivertest.Harness{FS: prefixed(t, mem, "a/b", dots)}
				if !dots {
					h.BadName = dotted
				}
				return h
			})
		})
	}
}

func TestConformanceLocal(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		drv := prefixed(t, localfs.New(&localfs.Options{Root: t.TempDir()}), "a/b", false)
		return drivertest.Harness{FS: drv, Dirs: true, BadName: func(path string) bool {
			return dotted(path) || slices.Contains(strings.Split(path, "/"), "")
		}}
	})
}

// No name leads out of the prefix, and none inside is out of reach.
func TestNothingOutside(t *testing.T) {
	mem := memfs.New()
	f := fsys.New(prefixed(t, mem, "in/side", true), "mem://t")
	names := []string{"..", "../x", "../../x", "/x", "//x", "a/../../y", "x", "./x", "side/x", "in/side/x"}
	for _, n := range names {
		if _, err := f.WriteFile(t.Context(), n, []byte(n)); err != nil {
			t.Errorf("write %q: %v", n, err)
		}
	}
	for e, err := range fsys.New(mem, "").List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(e.Path, "in/side/"); !ok || !slices.Contains(names, name) {
			t.Errorf("%q was written", e.Path)
		}
	}
	strict := fsys.New(prefixed(t, mem, "in/side", false), "mem://t")
	for _, n := range []string{"..", "../x", "a/../../y", "./x"} {
		if _, err := strict.ReadFile(t.Context(), n); fault.KindOf(err) != fault.Invalid {
			t.Errorf("read %q: %v, want Invalid", n, err)
		}
		if _, err := strict.Copy(t.Context(), "x", n); fault.KindOf(err) != fault.Invalid {
			t.Errorf("copy to %q: %v, want Invalid", n, err)
		}
		if err := strict.RemoveBatch(t.Context(), []string{"absent", n})[1]; fault.KindOf(err) != fault.Invalid {
			t.Errorf("remove %q: %v, want Invalid", n, err)
		}
	}
}

func TestErrorsNameTheShortPath(t *testing.T) {
	f := fsys.New(prefixed(t, memfs.New(), "p/q", false), "mem://t")
	for _, path := range []string{"absent", "p/q", "p/q/absent"} {
		_, err := f.ReadFile(t.Context(), path)
		if want := "open: mem://t/" + path + ": does not exist"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A store that is absent is not an empty directory.
func TestAbsentStore(t *testing.T) {
	drv := prefixed(t, localfs.New(&localfs.Options{Root: t.TempDir() + "/absent"}), "p", false)
	if _, err := drv.Stat(t.Context(), ""); fault.KindOf(err) != fault.NotExist {
		t.Errorf("stat: %v, want NotExist", err)
	}
	for _, err := range drv.List(t.Context(), "", driver.ListOptions{}) {
		if fault.KindOf(err) != fault.NotExist {
			t.Errorf("list: %v, want NotExist", err)
		}
	}
}

func TestPrefixRefused(t *testing.T) {
	for _, p := range []string{"a/", "/", "../x", "a/./b"} {
		if _, err := prefixfs.New(memfs.New(), p, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("prefix %q: %v, want Invalid", p, err)
		}
	}
	mem := memfs.New()
	if drv, err := prefixfs.New(mem, "", nil); err != nil || drv != driver.FS(mem) {
		t.Errorf("an empty prefix gives %v, %v", drv, err)
	}
}

func TestLocalPath(t *testing.T) {
	f := fsys.New(prefixed(t, localfs.New(&localfs.Options{Root: "/r"}), "p", false), "file://")
	if name, ok := f.LocalPath("a"); !ok || name != "/r/p/a" {
		t.Errorf("LocalPath = %q, %v", name, ok)
	}
}
