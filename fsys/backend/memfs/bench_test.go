package memfs_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
)

// million returns a store of a million tiny objects in 1,000 directories.
func million(b *testing.B) *fsys.FS {
	b.Helper()
	f := fsys.New(memfs.New(), "mem://million")
	for i := range 1_000_000 {
		if _, err := f.WriteFile(b.Context(), fmt.Sprintf("dir-%03d/object-%06d.txt", i/1000, i), []byte("tiny")); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

func BenchmarkMillion(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := million(b)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Run("Memory", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
	})
	for name, pattern := range map[string]string{"GlobAll": "**", "GlobDeep": "**/*7.txt", "GlobDirs": "*/object-*.txt"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range f.Glob(b.Context(), pattern, nil) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n < 100_000 {
					b.Fatalf("%d matches", n)
				}
			}
			b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	b.Run("List", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range f.List(b.Context(), "", &fsys.ListOptions{Recursive: true}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
}

func BenchmarkWriteFile(b *testing.B) {
	f := fsys.New(memfs.New(), "mem://bench")
	data := make([]byte, 4096)
	b.ReportAllocs()
	b.SetBytes(4096)
	for b.Loop() {
		if _, err := f.WriteFile(b.Context(), "object", data); err != nil {
			b.Fatal(err)
		}
	}
}
