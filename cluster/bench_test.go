package cluster_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
)

// BenchmarkNoop maps a function that does nothing over a million listed
// inputs on two workers and takes all results.
func BenchmarkNoop(b *testing.B) {
	const inputs = 1_000_000
	mux := listMux(&listFS{n: inputs})
	defer mux.Close()
	c := start(b, cluster.Options{Workers: 2, Mux: mux})
	cl := client(b, c)
	b.ReportAllocs()
	for b.Loop() {
		j, err := cl.Map(context.Background(), &work.Spec{Inputs: []string{"list://x/*"}, Func: "noop"}, nil)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		var most uint64
		for _, err := range j.Results() {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n%100_000 == 0 {
				var ms runtime.MemStats
				runtime.ReadMemStats(&ms)
				most = max(most, ms.HeapInuse)
			}
		}
		if _, err := j.Wait(context.Background()); err != nil || n != inputs {
			b.Fatal(n, err)
		}
		b.ReportMetric(float64(most)/1e6, "heap-MB")
	}
	b.ReportMetric(float64(inputs)*float64(b.N)/b.Elapsed().Seconds(), "inputs/s")
}

// BenchmarkStart measures a whole cluster, from nothing to the first result.
func BenchmarkStart(b *testing.B) {
	mux := listMux(&listFS{n: 1})
	defer mux.Close()
	var first time.Duration
	for b.Loop() {
		begin := time.Now()
		c, err := cluster.Start(context.Background(), &cluster.Options{Workers: 2, Mux: mux})
		if err != nil {
			b.Fatal(err)
		}
		cl, err := c.Client(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		j, err := cl.Map(context.Background(), &work.Spec{Inputs: []string{"list://x/*"}, Func: "noop"}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for range j.Results() {
		}
		first += time.Since(begin)
		c.Close()
	}
	b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "ms-to-result")
}
