package memfs_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return drivertest.Harness{FS: memfs.New()}
	})
}

func TestStoresAreSharedByName(t *testing.T) {
	defer memfs.Forget(t.Name())
	a, b := fsys.New(memfs.Open(t.Name()), ""), fsys.New(memfs.Open(t.Name()), "")
	if _, err := a.WriteFile(t.Context(), "x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := b.ReadFile(t.Context(), "x"); err != nil || string(got) != "1" {
		t.Errorf("read %q, %v", got, err)
	}
	memfs.Forget(t.Name())
	if n := memfs.Open(t.Name()).Len(); n != 0 {
		t.Errorf("a forgotten name has %d objects", n)
	}
	if _, err := b.ReadFile(t.Context(), "x"); err != nil {
		t.Errorf("what was open: %v", err)
	}
}

// The store behaves as a map of strings does, whatever is done to it.
func TestAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	mem := memfs.New()
	f := fsys.New(mem, "")
	model := map[string]string{}
	name := func() string { return fmt.Sprintf("%c/%04d", 'a'+r.IntN(3), r.IntN(2000)) }
	grow := 0
	for step := range 20_000 {
		if step%5000 == 0 {
			grow = 2 + r.IntN(7) // of ten: sometimes it grows, sometimes it shrinks
		}
		p := name()
		if r.IntN(10) < grow {
			v := fmt.Sprint(step)
			model[p] = v
			if _, err := f.WriteFile(t.Context(), p, []byte(v)); err != nil {
				t.Fatal(err)
			}
		} else {
			_, there := model[p]
			delete(model, p)
			if err := f.Remove(t.Context(), p); there != (err == nil) {
				t.Fatalf("remove %q: %v, there was one: %v", p, err, there)
			}
		}
	}
	want := slices.Sorted(maps.Keys(model))
	var got []string
	for e, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Path)
		if data, err := f.ReadFile(t.Context(), e.Path); err != nil || string(data) != model[e.Path] {
			t.Errorf("%q holds %q, %v, want %q", e.Path, data, err, model[e.Path])
		}
	}
	if !slices.Equal(got, want) || mem.Len() != len(want) {
		t.Errorf("%d objects listed, %d counted, want %d", len(got), mem.Len(), len(want))
	}
	for _, p := range want {
		if err := f.Remove(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if mem.Len() != 0 {
		t.Errorf("%d objects left", mem.Len())
	}
}

// A listing sees what is there throughout, in order, while others come and go.
func TestListBesideWriters(t *testing.T) {
	f := fsys.New(memfs.New(), "")
	var steady []string
	for i := range 5000 {
		p := fmt.Sprintf("d%d/%05d", i/1000, i)
		steady = append(steady, p)
		if _, err := f.WriteFile(t.Context(), p, nil); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() { // owner: this test, which waits
			for i := 0; ; i = (i + 7) % 5000 {
				select {
				case <-stop:
					return
				default:
				}
				p := fmt.Sprintf("d%d/%05d-%d", i/1000, i, w)
				if _, err := f.WriteFile(t.Context(), p, nil); err != nil {
					t.Error(err)
				}
				if i%3 > 0 {
					if err := f.Remove(t.Context(), p); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 20 {
		var got []string
		prev := ""
		for e, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Path <= prev {
				t.Fatalf("%q after %q", e.Path, prev)
			}
			if prev = e.Path; !strings.Contains(e.Path, "-") {
				got = append(got, e.Path)
			}
		}
		if !slices.Equal(got, steady) {
			t.Fatalf("%d of %d steady objects listed", len(got), len(steady))
		}
	}
	close(stop)
	wg.Wait()
}

func TestObjectAndDirectoryOfOneName(t *testing.T) {
	f := fsys.New(memfs.New(), "")
	for _, p := range []string{"f", "f/x", "f-", "f0", "/lead", "/lead/y", "end/"} {
		if _, err := f.WriteFile(t.Context(), p, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(dir string) (got []string) {
		for e, err := range f.List(t.Context(), dir, nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Path+map[fsys.Kind]string{fsys.Dir: "|"}[e.Kind])
		}
		return got
	}
	if got, want := list(""), []string{"/lead", "/lead/y", "end|", "f", "f-", "f|", "f0"}; !slices.Equal(got, want) {
		t.Errorf("list = %q, want %q", got, want)
	}
	if got, want := list("end"), []string{"end/"}; !slices.Equal(got, want) {
		t.Errorf("list end = %q, want %q", got, want)
	}
	if e, err := f.Stat(t.Context(), "f"); err != nil || e.Kind != fsys.File {
		t.Errorf("stat f = %+v, %v", e, err)
	}
}

func TestLongNames(t *testing.T) {
	f := fsys.New(memfs.New(), "")
	for n, want := range map[int]fault.Kind{65_535: fault.None, 65_536: fault.Invalid} {
		p := strings.Repeat("n", n)
		if _, err := f.WriteFile(t.Context(), p, []byte("x")); fault.KindOf(err) != want {
			t.Errorf("a name of %d bytes: kind %v, want %v", n, fault.KindOf(err), want)
		} else if got, err := f.ReadFile(t.Context(), p); want == fault.None && (err != nil || string(got) != "x") {
			t.Errorf("a name of %d bytes holds %q, %v", n, got, err)
		}
	}
}

// A million tiny objects fit in 120 MB; a fifth of them shows it as well.
func TestMemoryOfTinyObjects(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	mem := memfs.New()
	f := fsys.New(mem, "")
	const n = 200_000
	for i := range n {
		// 7 is no divisor: the order is not that of the names.
		if _, err := f.WriteFile(t.Context(), fmt.Sprintf("dir/object-%07d", i*7%n), []byte("tiny")); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if bytes := int64(after.HeapAlloc) - int64(before.HeapAlloc); mem.Len() != n || bytes > 120*n {
		t.Errorf("%d objects take %d bytes, want at most 120 each", mem.Len(), bytes)
	}
}

func TestReaderAfterClose(t *testing.T) {
	mem := memfs.New()
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	r, err := mem.Open(t.Context(), "x", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read after close = %d, %v", n, err)
	}
}

func FuzzSplitJoin(f *testing.F) {
	f.Add("name", "a//b\n\xff?#%2F")
	f.Add("n", "/")
	b := memfs.Backend()
	f.Fuzz(func(t *testing.T, name, path string) {
		if name == "" || strings.Contains(name, "/") {
			return
		}
		url := b.Join("mem://"+name, path)
		if root, got, err := b.Split(url, false); err != nil || root != "mem://"+name || got != path {
			t.Errorf("Split(%q) = %q, %q, %v", url, root, got, err)
		}
	})
}
