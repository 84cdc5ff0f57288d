package localfs_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/drivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, opts := range map[string]localfs.Options{"Default": {}, "Sync": {Sync: true}} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness { return harness(t, opts) })
		})
	}
}

func harness(t *testing.T, opts localfs.Options) drivertest.Harness {
	opts.Root = t.TempDir()
	return drivertest.Harness{
		FS: localfs.New(&opts), Dirs: true, BadName: badName,
		Leftovers: func(t *testing.T) []string { return temps(t, opts.Root) },
	}
}

// badName is what a directory tree cannot hold.
func badName(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(name string) bool {
		return name == "" || name == "." || name == ".."
	})
}

// temps returns the temporary files below root.
func temps(t *testing.T, root string) []string {
	t.Helper()
	var left []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".leat-tmp-") {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return left
}

// local returns a file system on a fresh directory, and the directory.
func local(t *testing.T) (*fsys.FS, string) {
	t.Helper()
	root := t.TempDir()
	return fsys.New(localfs.New(&localfs.Options{Root: root}), "file://"), root
}

func TestRefusedNames(t *testing.T) {
	f, root := local(t)
	if err := os.WriteFile(filepath.Join(root, "f"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/f", "f/", "a//b", ".", "..", "../x", "a/./b", "a\x00b", ".leat-tmp-x", "a/.leat-tmp-1/b"} {
		_, statErr := f.Stat(t.Context(), p)
		_, openErr := f.Open(t.Context(), p, nil)
		_, writeErr := f.WriteFile(t.Context(), p, nil)
		for what, err := range map[string]error{"stat": statErr, "open": openErr, "write": writeErr, "remove": f.Remove(t.Context(), p)} {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %q: %v, want Invalid", what, p, err)
			}
		}
	}
	if err := f.Remove(t.Context(), ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("remove of the root: %v", err)
	}
}

func TestLongComponentIsInvalid(t *testing.T) {
	f, _ := local(t)
	if _, err := f.WriteFile(t.Context(), strings.Repeat("n", 300), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a name of 300 bytes: %v, want Invalid", err)
	}
}

func TestReplacingKeepsMode(t *testing.T) {
	f, root := local(t)
	script := filepath.Join(root, "script")
	if err := os.WriteFile(script, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(script, 0o751); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteFile(t.Context(), "script", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Copy(t.Context(), "script", "copy"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"script", "copy"} {
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Mode().Perm() != 0o751 {
			t.Errorf("%s has mode %v, %v, want 0751", name, info.Mode(), err)
		}
	}
}

func TestLinks(t *testing.T) {
	f, root := local(t)
	ctx := t.Context()
	for _, p := range []string{"real/f", "other/g"} {
		if _, err := f.WriteFile(ctx, p, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"file": "real/f", "dir": "real", "real/loop": "../real", "dangling": "nowhere", "self": "self"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	for path, kind := range map[string]fsys.Kind{"file": fsys.File, "dir": fsys.Dir, "dangling": fsys.Other, "self": fsys.Other, "dir/loop/loop/f": fsys.File} {
		if e, err := f.Stat(ctx, path); err != nil || e.Kind != kind {
			t.Errorf("stat %q = %+v, %v, want a %v", path, e, err, kind)
		}
	}
	var got []string
	for e, err := range f.List(ctx, "", &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Path+" "+e.Kind.String())
	}
	want := []string{"dangling other", "dir directory", "file file", "other directory", "other/g file",
		"real directory", "real/f file", "real/loop directory", "self other"}
	if !slices.Equal(got, want) {
		t.Errorf("list -R = %q, want %q", got, want)
	}
	// Writing through a link writes what it leads to and keeps the link.
	if _, err := f.WriteFile(ctx, "file", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, err := f.ReadFile(ctx, "real/f"); err != nil || string(data) != "new" {
		t.Errorf("real/f = %q, %v", data, err)
	}
	if to, err := os.Readlink(filepath.Join(root, "file")); err != nil || to != "real/f" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if _, err := f.WriteFile(ctx, "dangling", nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("write to a dangling link: %v, want Invalid", err)
	}
	// Removing a link leaves what it leads to.
	for _, link := range []string{"file", "dir", "dangling"} {
		if err := f.Remove(ctx, link); err != nil {
			t.Errorf("remove %q: %v", link, err)
		}
	}
	if _, err := f.Stat(ctx, "real/f"); err != nil {
		t.Error(err)
	}
}

func TestPermission(t *testing.T) {
	f, root := local(t)
	if _, err := f.WriteFile(t.Context(), "d/x", nil); err != nil {
		t.Fatal(err)
	}
	asNobody(t, root)
	dir := filepath.Join(root, "d")
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	_, err := f.Stat(t.Context(), "d/x")
	if fault.KindOf(err) != fault.Permission {
		t.Errorf("stat: %v, want Permission", err)
	}
	for _, err = range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
	}
	if fault.KindOf(err) != fault.Permission {
		t.Errorf("list -R: %v, want Permission", err)
	}
}

// A file that gets shorter while it is read is no shorter file.
func TestTruncatedWhileRead(t *testing.T) {
	f, root := local(t)
	if _, err := f.WriteFile(t.Context(), "f", make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(t.Context(), "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(root, "f"), 5000); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); len(rest) != 4900 || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("read %d bytes, %v, want 4900 and Unavailable", len(rest), err)
	}
}

// Two commits in a row have two versions, however fast they are.
func TestVersionsDiffer(t *testing.T) {
	f, _ := local(t)
	seen := map[string]bool{}
	for range 200 {
		e, err := f.WriteFile(t.Context(), "f", []byte("same size"))
		if err != nil {
			t.Fatal(err)
		}
		if seen[e.Version] {
			t.Fatalf("version %q again", e.Version)
		}
		seen[e.Version] = true
	}
}

func TestUnwritableTargets(t *testing.T) {
	f, root := local(t)
	if _, err := f.WriteFile(t.Context(), "d/x", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteFile(t.Context(), "d", nil); fault.KindOf(err) != fault.IsDir {
		t.Errorf("write to a directory: %v, want IsDir", err)
	}
	if _, err := f.WriteFile(t.Context(), "d/x/y", nil); err == nil {
		t.Error("an object below a file was written")
	}
	if err := f.Remove(t.Context(), "d"); fault.KindOf(err) != fault.Exist {
		t.Errorf("remove of a directory that is not empty: %v, want Exist", err)
	}
	if left := temps(t, root); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func FuzzSplitJoin(f *testing.F) {
	f.Add("a/b")
	f.Add("a//b/../c\n\xff?#%2F[x]\\*")
	f.Add(".")
	b := localfs.Backend(nil)
	f.Fuzz(func(t *testing.T, name string) {
		root, path, err := b.Split("file:///"+name, false)
		if err != nil {
			t.Fatalf("Split(%q): %v", name, err)
		}
		url := b.Join(root, path)
		if r, again, err := b.Split(url, false); err != nil || r != root || again != path {
			t.Errorf("Split(Join(%q)) = %q, %q, %v", path, r, again, err)
		}
		if r, pattern, err := b.Split(fsys.QuoteMeta(url), true); err != nil || r != root {
			t.Errorf("Split of the quoted %q: %v", url, err)
		} else if ok, err := fsys.MatchPath(pattern, path); err != nil || !ok {
			t.Errorf("the pattern %q does not match %q: %v", pattern, path, err)
		}
	})
}
