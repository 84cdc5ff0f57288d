package bulk_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a mux over fresh memory stores, each below a layer of faults,
// and the local file system.
type world struct {
	*fsys.Mux
	t      testing.TB
	wrap   func(name string, d driver.FS) driver.FS
	mu     sync.Mutex
	faults map[string]*faultfs.FS
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, faults: map[string]*faultfs.FS{}}
	mem := memfs.Backend()
	mem.Open = func(_ context.Context, root string) (driver.FS, error) {
		name := strings.TrimPrefix(root, "mem://")
		var d driver.FS = memfs.New()
		if w.wrap != nil {
			d = w.wrap(name, d)
		}
		return w.fault(name, d), nil
	}
	local := localfs.Backend(nil)
	local.Open = func(context.Context, string) (driver.FS, error) { return w.fault("local", localfs.New(nil)), nil }
	w.Mux = fsys.NewMux(map[string]fsys.Backend{"mem": mem, "": local, "file": local})
	t.Cleanup(func() { w.Close() })
	return w
}

// fault puts a layer of faults on a store.
func (w *world) fault(name string, d driver.FS) driver.FS {
	d, f := faultfs.New(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[name] = f
	return d
}

// seed writes objects, each with its own URL as content.
func (w *world) seed(urls ...string) {
	w.t.Helper()
	for _, url := range urls {
		w.write(url, []byte(url))
	}
}

func (w *world) write(url string, data []byte) {
	w.t.Helper()
	f, path, err := w.Resolve(context.Background(), url)
	if err == nil {
		_, err = f.WriteFile(context.Background(), path, data)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// tree returns every object below url, by its path there: none when nothing
// is.
func (w *world) tree(url string) map[string]string {
	w.t.Helper()
	ctx := context.Background()
	f, path, err := w.Resolve(ctx, url)
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]string{}
	for e, err := range f.List(ctx, path, &fsys.ListOptions{Recursive: true}) {
		if fault.KindOf(err) == fault.NotExist {
			return got
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Kind == fsys.Dir {
			continue
		}
		data, err := f.ReadFile(ctx, e.Path)
		if err != nil {
			w.t.Fatal(err)
		}
		got[strings.TrimPrefix(strings.TrimPrefix(e.Path, path), "/")] = string(data)
	}
	return got
}

// plan lists a copy plan as "source -> destination".
func (w *world) plan(args []string, dst string, opts *bulk.PlanOptions) ([]string, error) {
	steps, err := bulk.PlanCopy(context.Background(), w.Mux, args, dst, opts)
	if err != nil {
		return nil, err
	}
	var got []string
	for st, err := range steps {
		if err != nil {
			return got, err
		}
		line := st.Src.URL() + " -> " + st.Dst.URL()
		if st.Skip != "" {
			line += " skip"
		}
		got = append(got, line)
	}
	return got, nil
}

// events collects the ends of items by URL.
type events struct {
	t    testing.TB
	mu   sync.Mutex
	byID map[string]bulk.Event
}

func (e *events) add(ev bulk.Event) {
	if !e.mu.TryLock() {
		e.t.Error("two events are told at once")
		return
	}
	defer e.mu.Unlock()
	if e.byID == nil {
		e.byID = map[string]bulk.Event{}
	}
	id := ev.Src.URL()
	if old, dup := e.byID[id]; dup {
		e.t.Errorf("%s ended twice: %v and %v", id, old.Status, ev.Status)
	}
	e.byID[id] = ev
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// names returns n object names below dir.
func names(dir string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s/%04d", dir, i)
	}
	return out
}

// pattern returns n bytes that repeat nowhere and differ from seed to seed.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
