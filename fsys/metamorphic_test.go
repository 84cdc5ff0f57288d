package fsys_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/limitfs"
	"github.com/leat-dev/leat/fsys/layer/prefixfs"
	"github.com/leat-dev/leat/fsys/layer/retryfs"
	"github.com/leat-dev/leat/fsys/layer/tracefs"
	"github.com/leat-dev/leat/task"
)

var planSeed = flag.Uint64("plan-seed", 0, "seed of the random plan; 0 draws one")

// made makes the stores of the metamorphic test: all of them must behave
// alike.
func made(t *testing.T, rng *rand.Rand) map[string]driver.FS {
	t.Helper()
	cached := func(drv driver.FS, o cachefs.Options) driver.FS {
		o.BlockBytes, o.ListTTL = 4096, time.Hour
		if o.Dir != "" {
			o.Store = "store"
		}
		c, err := cachefs.New(drv, &o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	prefixed, err := prefixfs.New(memfs.New(), "in/side", &prefixfs.Options{Dots: true})
	if err != nil {
		t.Fatal(err)
	}
	one := task.NewBudget(1)
	return map[string]driver.FS{
		"memory":          memfs.New(),
		"local":           localfs.New(&localfs.Options{Root: t.TempDir()}),
		"cache on disk":   cached(memfs.New(), cachefs.Options{Dir: t.TempDir(), MemoryBytes: 20_000}),
		"cache of wholes": cached(memfs.New(), cachefs.Options{Dir: t.TempDir(), WholeBytes: 10_000, DiskBytes: 100_000}),
		"trusting cache":  cached(memfs.New(), cachefs.Options{Revalidate: cachefs.Forever, MemoryBytes: 30_000}),
		"cache of local":  cached(localfs.New(&localfs.Options{Root: t.TempDir()}), cachefs.Options{Revalidate: cachefs.Forever}),
		"prefix":          prefixed,
		"limited, traced": tracefs.New(limitfs.New(memfs.New(), &limitfs.Options{Requests: one, Bytes: task.NewBudget(100)}), nil),
		"faulty": retryfs.New(cached(faulty(rng), cachefs.Options{Revalidate: cachefs.Forever}),
			&retryfs.Options{Base: time.Nanosecond, Attempts: 100, Total: -1}),
	}
}

// faulty is a memory in which about every fifth operation fails, and bodies
// and listings break off, at random. Commits fail before they are done.
func faulty(rng *rand.Rand) driver.FS {
	drv, rules := faultfs.New(memfs.New())
	for _, op := range []string{"stat", "list", "open", "read", "create", "remove", "copy"} {
		for skip := rng.IntN(5); skip < 5000; skip += 2 + rng.IntN(8) {
			r := &faultfs.Rule{Op: op, Skip: skip, Times: 1, Err: fault.New("", "", fault.Unavailable, nil)}
			switch op {
			case "read":
				r.N = rng.Int64N(9000)
			case "list":
				r.N = rng.Int64N(5)
			}
			rules.Add(r)
		}
	}
	return drv
}

// A step of a plan returns what it saw, which must not depend on the store.
type planStep struct {
	text string
	run  func(t *testing.T, f *fsys.FS) string
}

// seen describes a result. Whether an absent object can be removed is up to
// the store, and so is which of two reasons it gives.
func seen(result string, err error) string {
	switch kind := fault.KindOf(err); kind {
	case fault.None:
		return result
	case fault.NotExist, fault.IsDir:
		return "not an object"
	default:
		return "error: " + kind.String()
	}
}

// drawPlan returns n random steps. No name is below another's, so that a tree
// of directories can hold them all.
func drawPlan(rng *rand.Rand, n int) []planStep {
	var names []string
	for _, d := range []string{"", "a/", "a/b/", "a b/", "c#/d?/"} {
		for _, f := range []string{"x", "y%20", "é", "z-", "z0"} {
			names = append(names, d+f)
		}
	}
	pick := func() string { return names[rng.IntN(len(names))] }
	steps := make([]planStep, n)
	for i := range steps {
		a, b := pick(), pick()
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8), 'x'}, rng.IntN(4)*rng.IntN(3000))
		off, length := rng.Int64N(12_000)-4000, rng.Int64N(6000)
		recursive := rng.IntN(2) == 0
		dir := []string{"", "a", "a/b", "c#", "absent"}[rng.IntN(5)]
		steps[i] = []planStep{
			{fmt.Sprintf("write %q %d", a, len(data)), func(t *testing.T, f *fsys.FS) string {
				_, err := f.WriteFile(t.Context(), a, data)
				return seen("", err)
			}},
			{fmt.Sprintf("create %q %d", a, len(data)), func(t *testing.T, f *fsys.FS) string { return exclusive(t, f, a, data) }},
			{fmt.Sprintf("abort %q", a), func(t *testing.T, f *fsys.FS) string {
				w, err := f.Create(t.Context(), a, nil)
				if err == nil {
					_, err = w.Write(data)
					w.Abort()
				}
				return seen("", err)
			}},
			{fmt.Sprintf("copy %q %q", a, b), func(t *testing.T, f *fsys.FS) string {
				if a == b {
					return ""
				}
				_, err := f.Copy(t.Context(), a, b)
				return seen("", err)
			}},
			{fmt.Sprintf("remove %q", a), func(t *testing.T, f *fsys.FS) string {
				if err := f.Remove(t.Context(), a); fault.KindOf(err) != fault.NotExist {
					return seen("", err)
				}
				return ""
			}},
			{fmt.Sprintf("batch %q %q", a, b), func(t *testing.T, f *fsys.FS) string {
				for _, err := range f.RemoveBatch(t.Context(), []string{a, b}) {
					if err != nil && fault.KindOf(err) != fault.NotExist {
						return err.Error()
					}
				}
				return ""
			}},
			{fmt.Sprintf("read %q", a), func(t *testing.T, f *fsys.FS) string {
				got, err := f.ReadFile(t.Context(), a)
				return seen(string(got), err)
			}},
			{fmt.Sprintf("range %q %d %d", a, off, length), func(t *testing.T, f *fsys.FS) string {
				got, err := f.ReadRange(t.Context(), a, off, length+1)
				return seen(string(got), err)
			}},
			{fmt.Sprintf("stat %q", a), func(t *testing.T, f *fsys.FS) string {
				e, err := f.Stat(t.Context(), a)
				return seen(fmt.Sprint(e.Path, e.Kind, e.Size), err)
			}},
			{fmt.Sprintf("list %q %v", dir, recursive), func(t *testing.T, f *fsys.FS) string { return objects(t, f, dir, recursive) }},
		}[rng.IntN(10)]
	}
	return steps
}

func exclusive(t *testing.T, f *fsys.FS, path string, data []byte) string {
	w, err := f.Create(t.Context(), path, &fsys.CreateOptions{Exclusive: true})
	if err != nil {
		return seen("", err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return seen("", err)
	}
	_, err = w.Commit(t.Context())
	return seen("", err)
}

// objects lists objects, and the directories that have any: empty ones are up
// to the store.
func objects(t *testing.T, f *fsys.FS, dir string, recursive bool) string {
	var all []string
	for e, err := range f.List(t.Context(), dir, &fsys.ListOptions{Recursive: recursive}) {
		switch {
		case fault.KindOf(err) == fault.NotExist:
			return ""
		case err != nil:
			return err.Error()
		case e.Kind == fsys.File:
			all = append(all, fmt.Sprint(e.Path, " ", e.Size))
		case !recursive && objects(t, f, e.Path, true) != "":
			all = append(all, e.Path+"/")
		}
	}
	return strings.Join(all, "\n")
}

// The same random plan shows the same at each step, and ends in the same tree
// with the same bytes, whatever the store.
func TestPlanIsTheSameEverywhere(t *testing.T) {
	seed := *planSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-plan-seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	stores := made(t, rng)
	plan := drawPlan(rng, 600)
	want := make([]string, len(plan))
	reference := fsys.New(memfs.New(), "mem://reference")
	for i, s := range plan {
		want[i] = s.run(t, reference)
	}
	tree := contents(t, reference)
	for name, drv := range stores {
		f := fsys.New(drv, "mem://"+strings.ReplaceAll(name, " ", "-"))
		for i, s := range plan {
			if got := s.run(t, f); got != want[i] {
				t.Fatalf("%s: step %d, %s: %.200q, want %.200q", name, i, s.text, got, want[i])
			}
		}
		if got := contents(t, f); !slices.Equal(got, tree) {
			t.Errorf("%s ends in another tree: %.300q, want %.300q", name, got, tree)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// contents returns all paths with their content.
func contents(t *testing.T, f *fsys.FS) []string {
	t.Helper()
	var all []string
	for e, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != fsys.File {
			continue
		}
		r, err := f.Open(t.Context(), e.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Path+"\x00"+string(data))
	}
	return all
}
