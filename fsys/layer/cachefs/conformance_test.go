package cachefs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// settings are the ways to set up a cache that matter to its paths.
func settings(t *testing.T) map[string]cachefs.Options {
	t.Helper()
	disk := cachefs.Options{Dir: t.TempDir(), Store: "mem://t", BlockBytes: 32 << 10}
	forever, small, whole, tiny, none := disk, disk, disk, disk, disk
	forever.Revalidate = cachefs.Forever
	small.MemoryBytes, small.ListEntries = 150_000, 3
	whole.WholeBytes, whole.MemoryBytes = 1<<40, -1
	tiny.DiskBytes = 300_000
	none.Dir, none.MemoryBytes, none.ListTTL = "", -1, -1
	return map[string]cachefs.Options{
		"default": {}, "disk": disk, "forever": forever, "small": small, "whole": whole, "tiny": tiny, "none": none,
		"memory forever": {BlockBytes: 4096, Revalidate: cachefs.Forever},
	}
}

func newCache(t *testing.T, drv driver.FS, opts cachefs.Options) driver.FS {
	t.Helper()
	c, err := cachefs.New(drv, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	for name := range settings(t) {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				return drivertest.Harness{FS: newCache(t, memfs.New(), settings(t)[name])}
			})
		})
	}
}

func TestConformanceLocal(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		drv := newCache(t, localfs.New(&localfs.Options{Root: t.TempDir()}), settings(t)["whole"])
		return drivertest.Harness{FS: drv, Dirs: true, BadName: localBad}
	})
}
