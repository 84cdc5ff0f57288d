package fsys_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores are the two shapes of store: flat, and with real directories.
func stores(t *testing.T) map[string]*fsys.FS {
	return map[string]*fsys.FS{
		"mem":   fsys.New(memfs.New(), "mem://t"),
		"local": fsys.New(localfs.New(&localfs.Options{Root: t.TempDir()}), "file://"),
	}
}

func put(t *testing.T, f *fsys.FS, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := f.WriteFile(t.Context(), p, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// glob collects a glob; directories get a "/".
func glob(seq iter.Seq2[fsys.Entry, error]) ([]string, error) {
	var out []string
	for e, err := range seq {
		if err != nil {
			return out, err
		}
		if e.Kind == fsys.Dir {
			e.Path += "/"
		}
		out = append(out, e.Path)
	}
	return out, nil
}

var globTree = []string{
	".hid/x.go", "a-b/x.go", "a.go", "a/.x.go", "a/b/c/d.go", "a/b/c/e.txt", "a/b/x.go", "a/x.go", "a0/x.go",
	"b/x.txt", "odd*name/[x].go", "odd-name/x.go", "z.go",
}

func TestGlob(t *testing.T) {
	for name, f := range stores(t) {
		put(t, f, globTree...)
		for _, c := range []struct {
			pattern string
			dirs    bool
			want    string
		}{
			{"*", false, "a.go z.go"},
			{"*", true, ".hid/ a-b/ a.go a/ a0/ b/ odd*name/ odd-name/ z.go"},
			{"*/", false, ".hid/ a-b/ a/ a0/ b/ odd*name/ odd-name/"},
			{"a*", true, "a-b/ a.go a/ a0/"},
			{"a?go", false, "a.go"},
			{"*/x.go", false, ".hid/x.go a-b/x.go a/x.go a0/x.go odd-name/x.go"},
			{"a*/x.go", false, "a-b/x.go a/x.go a0/x.go"},
			{"a/*", false, "a/.x.go a/x.go"},
			{"a/*", true, "a/.x.go a/b/ a/x.go"},
			{"a/*/*", false, "a/b/x.go"},
			{"*/*/*", true, "a/b/c/ a/b/x.go"},
			{"*/b/x.*", false, "a/b/x.go"},
			{"**", false, strings.Join(globTree, " ")},
			{"**/*.go", false, ".hid/x.go a-b/x.go a.go a/.x.go a/b/c/d.go a/b/x.go a/x.go a0/x.go odd*name/[x].go odd-name/x.go z.go"},
			{"a/**", false, "a/.x.go a/b/c/d.go a/b/c/e.txt a/b/x.go a/x.go"},
			{"a/**", true, "a/.x.go a/b/ a/b/c/ a/b/c/d.go a/b/c/e.txt a/b/x.go a/x.go"},
			{"a/**/", false, "a/b/ a/b/c/"},
			{"**/", false, ".hid/ a-b/ a/ a/b/ a/b/c/ a0/ b/ odd*name/ odd-name/"},
			{"**/c", false, ""},
			{"**/c/", false, "a/b/c/"},
			{"**/c/*", false, "a/b/c/d.go a/b/c/e.txt"},
			{"a/**/x.go", false, "a/b/x.go a/x.go"},
			{"[ab]/**/*.txt", false, "a/b/c/e.txt b/x.txt"},
			{"a*/**/x.go", false, "a-b/x.go a/b/x.go a/x.go a0/x.go"},
			{"a/b/**/d.go", false, "a/b/c/d.go"},
			{`odd\*name/*`, false, "odd*name/[x].go"},
			{`odd\*name/\[x\].go`, false, "odd*name/[x].go"},
			{`odd*name/*x*`, false, "odd*name/[x].go odd-name/x.go"},
			{"a.go", false, "a.go"},
			{"a", true, "a/"},
			{"a/", false, "a/"},
			{"a/b/c/", false, "a/b/c/"},
			{"nothing*", false, ""},
			{"*/nothing/*", false, ""},
			{"**/nothing", false, ""},
			{"z.go/*", false, "NotExist"},
		} {
			got, err := glob(f.Glob(t.Context(), c.pattern, &fsys.GlobOptions{Dirs: c.dirs}))
			want := strings.Fields(c.want)
			if c.want == "NotExist" {
				// Only a store with real directories can tell.
				if want = nil; name == "local" {
					if fault.KindOf(err) != fault.NotExist {
						t.Errorf("%s: glob %q: %v, want NotExist", name, c.pattern, err)
					}
					err = nil
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: glob %q (dirs %v) = %q, %v, want %q", name, c.pattern, c.dirs, got, err, want)
			}
		}
	}
}

// What Glob finds is what MatchPath picks from all there is.
func TestGlobAgreesWithMatchPath(t *testing.T) {
	parts := []string{"*", "**", "a", "b", "a*", "?", "*.go", "[ab]", "x.go", "c"}
	for name, f := range stores(t) {
		put(t, f, globTree...)
		for _, p1 := range parts {
			for _, p2 := range append(parts, "") {
				for _, p3 := range append(parts, "") {
					pattern := strings.Trim(p1+"/"+p2+"/"+p3, "/")
					if strings.Contains(pattern, "//") || !fsys.HasMeta(pattern) {
						continue
					}
					var want []string
					for _, p := range globTree {
						if ok, _ := fsys.MatchPath(pattern, p); ok {
							want = append(want, p)
						}
					}
					got, err := glob(f.Glob(t.Context(), pattern, nil))
					if err != nil && (name != "local" || fault.KindOf(err) != fault.NotExist || len(want) > 0) || !slices.Equal(got, want) {
						t.Errorf("%s: glob %q = %q, %v, want %q", name, pattern, got, err, want)
					}
				}
			}
		}
	}
}

func TestGlobErrors(t *testing.T) {
	for name, f := range stores(t) {
		put(t, f, "d/x")
		for pattern, want := range map[string]fault.Kind{
			"absent": fault.NotExist, "absent/": fault.NotExist, "d": fault.IsDir, "": fault.IsDir,
			"d/x/": fault.NotExist, "[": fault.Invalid, "d/[x": fault.Invalid,
		} {
			_, err := glob(f.Glob(t.Context(), pattern, nil))
			if fault.KindOf(err) != want {
				t.Errorf("%s: glob %q: %v, want %v", name, pattern, err, want)
			} else if e := new(fault.Error); !errors.As(err, &e) || e.Path != f.URL(pattern) && e.Path != f.URL(strings.TrimSuffix(pattern, "/")) {
				t.Errorf("%s: glob %q: %v does not name the URL", name, pattern, err)
			}
		}
	}
}

// missing is a store whose root is not there, as a missing bucket.
type missing struct{ driver.FS }

func (missing) Stat(_ context.Context, path string) (driver.Entry, error) {
	return driver.Entry{}, fault.New("stat", path, fault.NotExist, nil)
}

func (missing) List(_ context.Context, dir string, _ driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		yield(driver.Entry{}, fault.New("list", dir, fault.NotExist, nil))
	}
}

func TestGlobMissingStore(t *testing.T) {
	f := fsys.New(missing{}, "s3://nobucket")
	for _, pattern := range []string{"*", "**", "a/*", "a/**", "x"} {
		if _, err := glob(f.Glob(t.Context(), pattern, nil)); fault.KindOf(err) != fault.NotExist {
			t.Errorf("glob %q in a missing store: %v, want NotExist", pattern, err)
		}
	}
	local := fsys.New(localfs.New(&localfs.Options{Root: filepath.Join(t.TempDir(), "absent")}), "")
	if _, err := glob(local.Glob(t.Context(), "*", nil)); fault.KindOf(err) != fault.NotExist {
		t.Errorf("glob in a missing directory: %v, want NotExist", err)
	}
}

// An error in the middle is an error, never a shorter result.
func TestGlobReportsTrouble(t *testing.T) {
	for name, f := range stores(t) {
		put(t, f, globTree...)
		for _, pattern := range []string{"**/*.go", "*/x.go", "a/*/*", "*/*/*"} {
			drv, layer := faultfs.New(f.Driver())
			flaky := fsys.New(drv, "flaky://")
			if _, err := glob(flaky.Glob(t.Context(), pattern, nil)); err != nil {
				t.Fatal(err)
			}
			steps := layer.Calls("")
			for skip := range steps {
				layer.Clear()
				layer.Add(&faultfs.Rule{Skip: skip, Times: 1, Err: fault.New("", "", fault.Permission, nil)})
				if got, err := glob(flaky.Glob(t.Context(), pattern, nil)); fault.KindOf(err) != fault.Permission {
					t.Errorf("%s: glob %q with step %d of %d failing = %q, %v", name, pattern, skip, steps, got, err)
				}
			}
		}
	}
}

func TestGlobAsksForLittle(t *testing.T) {
	mem := memfs.New()
	f := fsys.New(mem, "mem://t")
	for i := range 50 {
		put(t, f, fmt.Sprintf("d%02d/sub/x", i))
	}
	for pattern, want := range map[string]int{"**/x": 1, "d0*/sub/**": 1, "d00/sub/*": 1, "d00/sub/x": 0, "d*": 1} {
		drv, layer := faultfs.New(mem)
		if _, err := glob(fsys.New(drv, "").Glob(t.Context(), pattern, nil)); err != nil {
			t.Fatal(err)
		}
		if got := layer.Calls("list"); got != want {
			t.Errorf("glob %q listed %d times, want %d", pattern, got, want)
		}
	}
}

// recording notes the prefixes that listings ask for.
type recording struct {
	driver.FS
	asked *[]string
}

func (r recording) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	*r.asked = append(*r.asked, dir+"|"+opts.Prefix)
	return r.FS.List(ctx, dir, opts)
}

func TestGlobPushesPrefixDown(t *testing.T) {
	mem := memfs.New()
	put(t, fsys.New(mem, ""), "d/abc", "d/x")
	for pattern, want := range map[string]string{"d/ab*": "d|ab", "d/ab*/**": "d|ab", "ab[c]": "|ab", "**/x": "|", "d/**/abc": "d|", "/ab*": "|/ab"} {
		var asked []string
		if _, err := glob(fsys.New(recording{mem, &asked}, "").Glob(t.Context(), pattern, nil)); err != nil || !slices.Equal(asked, []string{want}) {
			t.Errorf("glob %q asks for %q, %v, want %q", pattern, asked, err, want)
		}
	}
}

func TestGlobIsLazy(t *testing.T) {
	mem := memfs.New()
	f := fsys.New(mem, "mem://t")
	for i := range 100 {
		put(t, f, fmt.Sprintf("d%02d/x", i))
	}
	drv, layer := faultfs.New(mem)
	for e, err := range fsys.New(drv, "").Glob(t.Context(), "*/*", nil) {
		if err != nil || e.Path != "d00/x" {
			t.Errorf("first match %q, %v", e.Path, err)
		}
		break
	}
	if got := layer.Calls("list"); got > 40 {
		t.Errorf("%d listings for the first match", got)
	}
}

// Directories of a far store are walked at the same time: with a second for
// each request, 200 directories in two levels take seconds, not minutes.
func TestGlobLooksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memfs.New()
		f := fsys.New(mem, "mem://t")
		var want []string
		for i := range 20 {
			for j := range 10 {
				for k := range 3 {
					want = append(want, fmt.Sprintf("%02d/%d/%d", i, j, k))
				}
			}
		}
		put(t, f, want...)
		drv, layer := faultfs.New(mem, &faultfs.Rule{Delay: time.Second})
		start := time.Now()
		got, err := glob(fsys.New(drv, "").Glob(t.Context(), "*/*/[0-9]", nil))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d matches, %v, want %d", len(got), err, len(want))
		}
		if took, lists := time.Since(start), layer.Calls("list"); took > 30*time.Second || lists != 221 {
			t.Errorf("%d listings took %v", lists, took)
		}
	})
}

// Leaving the loop, or a context that ends, ends what is walked ahead.
func TestGlobEndsWhatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memfs.New()
		f := fsys.New(mem, "mem://t")
		for i := range 100 {
			put(t, f, fmt.Sprintf("%02d/a", i), fmt.Sprintf("%02d/b", i))
		}
		drv, _ := faultfs.New(mem, &faultfs.Rule{Op: "list", Skip: 10, Delay: time.Hour})
		slow := fsys.New(drv, "")
		start := time.Now()
		for _, err := range slow.Glob(t.Context(), "*/*", nil) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := glob(slow.Glob(ctx, "*/*", nil)); fault.KindOf(err) != fault.Timeout {
			t.Errorf("%d matches, then %v, want a time-out", len(got), err)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

func TestGlobLeadingSlash(t *testing.T) {
	f := fsys.New(memfs.New(), "mem://t")
	put(t, f, "/x", "/d/y", "x", "d/y", "a//b", "a/c")
	for pattern, want := range map[string][]string{
		"/*": {"/x"}, "/**": {"/d/y", "/x"}, "*": {"x"}, "*/*": {"a/c", "d/y"}, "a//*": {"a//b"}, "/x": {"/x"},
		"/*/y": {"/d/y"}, "**/y": {"/d/y", "d/y"},
	} {
		if got, err := glob(f.Glob(t.Context(), pattern, nil)); err != nil || !slices.Equal(got, want) {
			t.Errorf("glob %q = %q, %v, want %q", pattern, got, err, want)
		}
	}
}

func TestGlobLinks(t *testing.T) {
	root := t.TempDir()
	f := fsys.New(localfs.New(&localfs.Options{Root: root}), "")
	put(t, f, "real/x.go", "real/sub/y.go")
	for link, target := range map[string]string{"link": "real", "real/up": "..", "file": "real/x.go", "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	for _, c := range []struct {
		pattern string
		opts    fsys.GlobOptions
		want    []string
	}{
		{"*/*.go", fsys.GlobOptions{}, []string{"link/x.go", "real/x.go"}},
		{"**/*.go", fsys.GlobOptions{}, []string{"real/sub/y.go", "real/x.go"}},
		{"link/**/*.go", fsys.GlobOptions{}, []string{"link/sub/y.go", "link/x.go"}},
		{"*", fsys.GlobOptions{}, []string{"file"}},
		{"*", fsys.GlobOptions{Others: true}, []string{"dangling", "file"}},
		{"**/", fsys.GlobOptions{}, []string{"link/", "real/", "real/sub/", "real/up/"}},
	} {
		if got, err := glob(f.Glob(t.Context(), c.pattern, &c.opts)); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("glob %q = %q, %v, want %q", c.pattern, got, err, c.want)
		}
	}
}
