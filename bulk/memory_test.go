package bulk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

// A crowd is a store of many small objects that takes no memory: names and
// contents are computed, and what is written is counted and forgotten.
type crowd struct {
	objects int
	size    int64
	stored  atomic.Int64
}

func (c *crowd) entry(i int) driver.Entry {
	return driver.Entry{Path: fmt.Sprintf("t/%08d", i), Kind: driver.File, Size: c.size, Version: "1"}
}

func (c *crowd) Stat(_ context.Context, path string) (driver.Entry, error) {
	if path == "t" || path == "" {
		return driver.Entry{Path: path, Kind: driver.Dir, Size: -1}, nil
	}
	return driver.Entry{}, fault.New("stat", path, fault.NotExist, nil)
}

func (c *crowd) List(context.Context, string, driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for i := range c.objects {
			if !yield(c.entry(i), nil) {
				return
			}
		}
	}
}

func (c *crowd) Open(_ context.Context, path string, _ driver.OpenOptions) (driver.Reader, error) {
	return &crowdReader{strings.NewReader(strings.Repeat("x", int(c.size))), driver.Entry{Path: path, Kind: driver.File, Size: c.size}}, nil
}

func (c *crowd) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return &crowdWriter{c: c, path: path}, nil
}

func (c *crowd) Remove(context.Context, string) error { return nil }
func (c *crowd) Close() error                         { return nil }

type crowdReader struct {
	io.Reader
	e driver.Entry
}

func (r *crowdReader) Entry() driver.Entry { return r.e }
func (r *crowdReader) Close() error        { return nil }

// A crowdWriter holds what is written, as a store that sends it in one piece
// does.
type crowdWriter struct {
	c    *crowd
	path string
	buf  bytes.Buffer
}

func (w *crowdWriter) Write(p []byte) (int, error) { return w.buf.Write(p) }
func (w *crowdWriter) Abort() error                { return nil }
func (w *crowdWriter) Commit(context.Context) (driver.Entry, error) {
	w.c.stored.Add(1)
	return driver.Entry{Path: w.path, Kind: driver.File, Size: int64(w.buf.Len())}, nil
}

// Copies and syncs of a crowd of small objects hold what is in flight, not
// what there is, at any number of jobs.
func TestMemoryOfManyObjects(t *testing.T) {
	n, bound := 100_000, uint64(190<<20)
	if testing.Short() || raceEnabled {
		n = 10_000
	}
	for _, jobs := range []int{256, 8192} {
		for _, op := range []string{"copy", "sync"} {
			src, dst := &crowd{objects: n, size: 4 << 10}, &crowd{}
			stores := map[string]driver.FS{"mem://s": src, "mem://d": dst}
			mux := fsys.NewMux(map[string]fsys.Backend{"mem": {
				Split: func(url string, _ bool) (string, string, error) { return url[:7], strings.Trim(url[7:], "/"), nil },
				Join:  func(root, path string) string { return root + "/" + path },
				Open:  func(_ context.Context, root string) (driver.FS, error) { return stores[root], nil },
			}})
			var most uint64
			ends := 0
			opts := &bulk.Options{Jobs: jobs, Event: func(bulk.Event) {
				if ends++; ends%1000 == 0 {
					most = max(most, liveHeap())
				}
			}}
			before := liveHeap()
			sum, err := runCrowd(t, mux, op, opts)
			if err != nil || sum.Done != int64(n) || dst.stored.Load() != int64(n) {
				t.Fatalf("%s: %+v, %v", op, sum, err)
			}
			if most > before+bound {
				t.Errorf("%s of %d objects with %d jobs held %d MiB", op, n, jobs, (most-before)>>20)
			}
			mux.Close()
		}
	}
}

func runCrowd(t *testing.T, mux *fsys.Mux, op string, opts *bulk.Options) (bulk.Summary, error) {
	if op == "copy" {
		plan, err := bulk.PlanCopy(t.Context(), mux, []string{"mem://s/t/"}, "mem://d/t/", &bulk.PlanOptions{Recursive: true})
		if err != nil {
			t.Fatal(err)
		}
		return bulk.Copy(t.Context(), plan, opts)
	}
	plan, err := bulk.PlanSync(t.Context(), mux, "mem://s/t", "mem://d/t", nil)
	if err != nil {
		t.Fatal(err)
	}
	return bulk.Sync(t.Context(), plan, opts)
}

// liveHeap returns the bytes of the heap in use, garbage included.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
