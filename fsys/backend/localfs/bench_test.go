package localfs_test

import (
	"fmt"
	"testing"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
)

func BenchmarkWriteFile(b *testing.B) {
	f := fsys.New(localfs.New(&localfs.Options{Root: b.TempDir()}), "")
	data := make([]byte, 4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := f.WriteFile(b.Context(), fmt.Sprint("f", i%1000), data); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkReadFile(b *testing.B) {
	f := fsys.New(localfs.New(&localfs.Options{Root: b.TempDir()}), "")
	if _, err := f.WriteFile(b.Context(), "f", make([]byte, 4096)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.ReadFile(b.Context(), "f"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGlob(b *testing.B) {
	f := fsys.New(localfs.New(&localfs.Options{Root: b.TempDir()}), "")
	const n = 10_000
	for i := range n {
		if _, err := f.WriteFile(b.Context(), fmt.Sprintf("d%02d/f%04d.go", i/200, i), nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, pattern := range []string{"**/*.go", "*/*.go"} {
		b.Run(pattern, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range f.Glob(b.Context(), pattern, nil) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
