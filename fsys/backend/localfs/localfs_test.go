package localfs_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

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
