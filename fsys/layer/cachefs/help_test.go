package cachefs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

const block = 4096

// content returns n bytes without zeros that differ by position and seed.
func content(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251+i/4096*13+int(seed))%255 + 1
	}
	return b
}

// A bench is a cache over rules over a memory store.
type bench struct {
	*fsys.FS // the cache
	below    *fsys.FS
	rules    *faultfs.FS
	stats    *cachefs.Stats
}

func newBench(t *testing.T, opts cachefs.Options) *bench {
	t.Helper()
	return benchOver(t, memfs.New(), opts)
}

func benchOver(t *testing.T, store driver.FS, opts cachefs.Options) *bench {
	t.Helper()
	drv, rules := faultfs.New(store)
	if opts.BlockBytes == 0 {
		opts.BlockBytes = block
	}
	if opts.Dir != "" {
		opts.Store = "mem://t"
	}
	opts.Stats = &cachefs.Stats{}
	return &bench{fsys.New(newCache(t, drv, opts), "cache::mem://t"), fsys.New(store, "mem://t"), rules, opts.Stats}
}

// write writes to the store behind the cache's back.
func (b *bench) write(t *testing.T, path string, data []byte) {
	t.Helper()
	if _, err := b.below.WriteFile(t.Context(), path, data); err != nil {
		t.Fatal(err)
	}
}

// want reads a range through the cache. A negative n reads to the end.
func (b *bench) want(t *testing.T, path string, off, n int64, want []byte) {
	t.Helper()
	got, err := b.ReadRange(t.Context(), path, off, n)
	if err != nil || string(got) != string(want) {
		t.Errorf("read %s at %d: %d bytes, %v, want %d; %s", path, off, len(got), err, len(want), firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d is %d, not %d", i, got[i], want[i])
		}
	}
	return "one is the beginning of the other"
}

// readAll reads a file of a driver.
func readAll(t *testing.T, drv driver.FS, path string) ([]byte, error) {
	t.Helper()
	r, err := drv.Open(t.Context(), path, driver.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// files lists the regular files below dir, sorted.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all = append(all, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// diskUse returns the bytes of all files below dir.
func diskUse(t *testing.T, dir string) (total int64) {
	t.Helper()
	for _, name := range files(t, dir) {
		if info, err := os.Stat(name); err == nil {
			total += info.Size()
		}
	}
	return total
}

// localBad reports whether a directory tree cannot hold the name.
func localBad(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || p == "." || p == ".." })
}

func down() error { return fault.New("", "", fault.Unavailable, errors.New("down")) }
