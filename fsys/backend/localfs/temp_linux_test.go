package localfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/drivertest"
)

func TestConformanceOfNamedTemporaries(t *testing.T) {
	localfs.OnlyNamed(t)
	drivertest.Run(t, func(t *testing.T) drivertest.Harness { return harness(t, localfs.Options{}) })
}

func TestTemporariesAreHidden(t *testing.T) {
	localfs.OnlyNamed(t)
	f, root := local(t)
	w, err := f.Create(t.Context(), "d/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if left := temps(t, root); len(left) != 1 {
		t.Errorf("temporary files: %q, want one", left)
	}
	for e, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
		if err != nil || e.Path != "d" {
			t.Errorf("listed %q, %v", e.Path, err)
		}
	}
}

// A process that is killed in the middle of a write leaves nothing: the file
// has no name before Commit.
func TestUnfinishedFileHasNoName(t *testing.T) {
	f, root := local(t)
	w, err := f.Create(t.Context(), "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(root); err != nil || len(names) > 0 {
		t.Skipf("the disk of %s knows no files without a name: %v, %v", root, names, err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

// Another writer may abort and remove the directory that it made, with ours
// in it.
func TestParentVanishes(t *testing.T) {
	f, root := local(t)
	for _, exclusive := range []bool{false, true} {
		first, err := f.Create(t.Context(), "a/b/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := f.Create(t.Context(), "a/b/y", &fsys.CreateOptions{Exclusive: exclusive})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Abort(); err != nil {
			t.Error(err)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Errorf("commit (exclusive %v): %v", exclusive, err)
		}
		if err := f.Remove(t.Context(), "a/b/y"); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(filepath.Join(root, "a")); err != nil {
			t.Fatal(err)
		}
	}
}

// A target that becomes a directory under the writer is refused.
func TestTargetBecomesDirectory(t *testing.T) {
	for _, named := range []bool{false, true} {
		t.Run(map[bool]string{false: "Unnamed", true: "Named"}[named], func(t *testing.T) {
			if named {
				localfs.OnlyNamed(t)
			}
			f, root := local(t)
			w, err := f.Create(t.Context(), "x", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if err := os.Mkdir(filepath.Join(root, "x"), 0o777); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(t.Context()); fault.KindOf(err) != fault.IsDir {
				t.Errorf("commit: %v, want IsDir", err)
			}
			if left := temps(t, root); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}
