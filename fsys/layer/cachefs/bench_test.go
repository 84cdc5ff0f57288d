package cachefs_test

import (
	"testing"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
)

// BenchmarkRange reads 4 KiB ranges that are in the cache: what a read costs
// that needs no store.
func BenchmarkRange(b *testing.B) {
	for name, opts := range map[string]cachefs.Options{
		"memory": {Revalidate: cachefs.Forever},
		"disk":   {Revalidate: cachefs.Forever, MemoryBytes: -1, Dir: b.TempDir(), Store: "mem://t"},
		"whole":  {Revalidate: cachefs.Forever, MemoryBytes: -1, Dir: b.TempDir(), Store: "mem://t", WholeBytes: 1 << 30},
	} {
		b.Run(name, func(b *testing.B) {
			mem := memfs.New()
			if _, err := fsys.New(mem, "").WriteFile(b.Context(), "a", content(8<<20, 1)); err != nil {
				b.Fatal(err)
			}
			drv, err := cachefs.New(mem, &opts)
			if err != nil {
				b.Fatal(err)
			}
			f := fsys.New(drv, "")
			if _, err := f.ReadFile(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(4 << 10)
			i := int64(0)
			for b.Loop() {
				i++
				if _, err := f.ReadRange(b.Context(), "a", i*7919*4096%(8<<20), 4<<10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
