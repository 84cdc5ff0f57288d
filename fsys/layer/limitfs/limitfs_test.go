package limitfs_test

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/limitfs"
	"github.com/leat-dev/leat/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, opts := range map[string]*limitfs.Options{
		"none": nil,
		// One unit of each: whoever held two would wait for ever.
		"tight": {Requests: task.NewBudget(1), Bytes: task.NewBudget(1000),
			Reads: limitfs.NewRate(1<<40, 1<<20), Writes: limitfs.NewRate(1<<40, 777)},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				t.Cleanup(func() {
					if opts != nil && (opts.Requests.InUse() != 0 || opts.Bytes.InUse() != 0) {
						t.Errorf("%d requests and %d bytes are still held", opts.Requests.InUse(), opts.Bytes.InUse())
					}
				})
				return drivertest.Harness{FS: limitfs.New(memfs.New(), opts)}
			})
		})
	}
}

// crowd counts the calls under way in the store.
type crowd struct {
	driver.FS
	now, most atomic.Int64
}

func (c *crowd) Stat(ctx context.Context, path string) (driver.Entry, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	return c.FS.Stat(ctx, path)
}

// Two layers with one budget stay within it together.
func TestRequestsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, _ := faultfs.New(memfs.New(), &faultfs.Rule{Delay: time.Second})
		c := &crowd{FS: slow}
		opts := &limitfs.Options{Requests: task.NewBudget(3)}
		layers := []driver.FS{limitfs.New(c, opts), limitfs.New(c, opts)}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() { // owner: this test, which waits
				if _, err := layers[i%2].Stat(t.Context(), ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if c.most.Load() != 3 || time.Since(start) != 4*time.Second {
			t.Errorf("%d calls at once, %v in all, want 3 and 4 s", c.most.Load(), time.Since(start))
		}
	})
}

// Readers, writers and listings nested in each other need one unit at a time.
func TestNestedUseDoesNotDeadlock(t *testing.T) {
	f := fsys.New(limitfs.New(memfs.New(), &limitfs.Options{Requests: task.NewBudget(1), Bytes: task.NewBudget(10)}), "mem://t")
	for _, p := range []string{"d/a", "d/b"} {
		if _, err := f.WriteFile(t.Context(), p, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range f.List(t.Context(), "d", nil) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.CopyBetween(t.Context(), f, e.Path, f, "copy/"+e.Path); err != nil {
			t.Error(err)
		}
		for _, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if data, err := f.ReadFile(t.Context(), "copy/d/b"); err != nil || len(data) != 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := limitfs.NewRate(1000, 500)
		f := fsys.New(limitfs.New(memfs.New(), &limitfs.Options{Reads: rate, Writes: rate}), "mem://t")
		start := time.Now()
		if _, err := f.WriteFile(t.Context(), "a", make([]byte, 5500)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start).Round(time.Millisecond); took != 5*time.Second {
			t.Errorf("5,500 bytes written in %v, want 5 s after a burst of 500", took)
		}
		start = time.Now()
		if data, err := f.ReadFile(t.Context(), "a"); err != nil || len(data) != 5500 {
			t.Errorf("read %d bytes, %v", len(data), err)
		}
		if took := time.Since(start).Round(time.Millisecond); took != 5500*time.Millisecond {
			t.Errorf("5,500 bytes read in %v, want 5.5 s", took)
		}
	})
}

// Waiting ends with the context, for each of the limits, and a commit that
// did not get its turn leaves nothing.
func TestWaitsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests, bytes := task.NewBudget(1), task.NewBudget(1)
		mem := memfs.New()
		if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		drv := limitfs.New(mem, &limitfs.Options{Requests: requests, Bytes: bytes, Reads: limitfs.NewRate(1, 10)})
		w, err := drv.Create(t.Context(), "w", driver.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r, err := drv.Open(ctx, "a", driver.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := requests.Acquire(ctx, 1); err != nil {
			t.Fatal(err)
		}
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		calls := map[string]func() error{
			"stat":   func() error { _, err := drv.Stat(short, "a"); return err },
			"open":   func() error { _, err := drv.Open(short, "a", driver.OpenOptions{}); return err },
			"create": func() error { _, err := drv.Create(short, "a", driver.CreateOptions{}); return err },
			"remove": func() error { return drv.Remove(short, "a") },
			"commit": func() error { _, err := w.Commit(short); return err },
			"copy":   func() error { _, err := drv.(driver.Copier).Copy(short, "a", "b"); return err },
			"batch":  func() error { return drv.(driver.BatchRemover).RemoveBatch(short, []string{"a"})[0] },
			"list": func() error {
				for _, err := range drv.List(short, "", driver.ListOptions{}) {
					return err
				}
				return nil
			},
		}
		for name, call := range calls {
			if err := call(); fault.KindOf(err) != fault.Timeout {
				t.Errorf("%s without a unit: %v, want Timeout", name, err)
			}
		}
		requests.Release(1)
		if _, err := mem.Stat(t.Context(), "w"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("after a commit without a unit: %v, want NotExist", err)
		}
		buf := make([]byte, 10)
		for i := 0; err == nil && i < 100; i++ {
			_, err = r.Read(buf)
			if i == 0 {
				cancel()
			}
		}
		if fault.KindOf(err) != fault.Canceled {
			t.Errorf("read at a rate after cancel: %v, want Canceled", err)
		}
		r.Close()
	})
}

func TestRateBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memfs.New()
		if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		drv := limitfs.New(mem, &limitfs.Options{Reads: limitfs.NewRate(1, 10)})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := drv.Open(ctx, "a", driver.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.ReadAll(r); fault.KindOf(err) != fault.Timeout {
			t.Errorf("%v, want Timeout", err)
		}
	})
}
