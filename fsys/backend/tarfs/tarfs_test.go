package tarfs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/tarfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is the archive of the moment; seeding writes a new one.
type opened struct{ driver.FS }

func bad(path string) bool { return archive.CheckName(path) != nil }

func TestConformance(t *testing.T) {
	for _, name := range []string{"x.tar", "x.tgz", "x.tar.zst", "gnu.tar"} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				inner := fsys.New(memfs.New(), "mem://t")
				files, o := map[string][]byte{}, &opened{}
				seed := func(t *testing.T, more map[string][]byte) {
					maps.Copy(files, more)
					if name == "gnu.tar" {
						gnu(t, inner, name, files)
					} else {
						write(t, inner, name, files)
					}
					if o.FS != nil {
						_ = o.FS.Close()
					}
					o.FS = open(t, inner, name)
				}
				seed(t, nil)
				return drivertest.Harness{FS: o, ReadOnly: true, Dirs: true, BadName: bad, Seed: seed}
			})
		})
	}
}

func open(t *testing.T, inner *fsys.FS, name string) *tarfs.FS {
	t.Helper()
	f, err := tarfs.Open(t.Context(), inner, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// write writes an archive with the package under test, in order of names.
func write(t *testing.T, inner *fsys.FS, name string, files map[string][]byte) {
	t.Helper()
	w, err := tarfs.Create(t.Context(), inner, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		m, err := w.Create(t.Context(), path, driver.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(files[path]); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// gnu writes an archive as GNU tar does: long names its way, folders, "./".
func gnu(t *testing.T, inner *fsys.FS, name string, files map[string][]byte) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	header := func(h *tar.Header) {
		h.Format = tar.FormatGNU
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	header(&tar.Header{Typeflag: tar.TypeDir, Name: "./"})
	for path, data := range files {
		if dir, _, ok := strings.Cut(path, "/"); ok {
			header(&tar.Header{Typeflag: tar.TypeDir, Name: "./" + dir + "/"})
		}
		header(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + path, Size: int64(len(data))})
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	store(t, inner, name, buf.Bytes())
}

func store(t *testing.T, inner *fsys.FS, name string, data []byte) {
	t.Helper()
	if _, err := inner.WriteFile(t.Context(), name, data); err != nil {
		t.Fatal(err)
	}
}

// counting counts what is asked of the store.
type counting struct {
	driver.FS
	mu    sync.Mutex
	calls int
	bytes int64
}

func (c *counting) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := c.FS.Open(ctx, path, opts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	return &countingReader{r, c}, err
}

type countingReader struct {
	driver.Reader
	c *counting
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.bytes += int64(n)
	return n, err
}

// Large members of a plain archive are skipped, not read.
func TestRequestsPlain(t *testing.T) {
	st := &counting{FS: memfs.New()}
	inner := fsys.New(st, "mem://t")
	files := map[string][]byte{}
	for i := range 10 {
		files[fmt.Sprintf("%d", i)] = bytes.Repeat([]byte{byte(i)}, 4<<20)
	}
	write(t, inner, "x.tar", files)
	f := open(t, inner, "x.tar")
	if st.calls > 15 || st.bytes > 5<<20 {
		t.Errorf("the table took %d requests and %d bytes", st.calls, st.bytes)
	}
	st.calls = 0
	got, err := fsys.New(f, "").ReadRange(t.Context(), "7", 1<<20, 10)
	if err != nil || !bytes.Equal(got, files["7"][:10]) || st.calls != 1 {
		t.Errorf("%d bytes, %v, with %d requests", len(got), err, st.calls)
	}
}

// Members of a compressed archive in its order are one pass.
func TestRequestsPacked(t *testing.T) {
	for _, name := range []string{"x.tar.gz", "x.tar.zst"} {
		st := &counting{FS: memfs.New()}
		inner := fsys.New(st, "mem://t")
		files := map[string][]byte{}
		r := rand.NewChaCha8([32]byte{1})
		for i := range 20 {
			b := make([]byte, 300_000)
			_, _ = r.Read(b)
			files[fmt.Sprintf("%02d", i)] = b
		}
		write(t, inner, name, files)
		f := open(t, inner, name)
		st.calls, st.bytes = 0, 0
		for e, err := range f.List(t.Context(), "", driver.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			got, err := fsys.New(f, "").ReadFile(t.Context(), e.Path)
			if err != nil || !bytes.Equal(got, files[e.Path]) {
				t.Errorf("%s: %d bytes, %v", e.Path, len(got), err)
			}
		}
		if st.calls != 1 || st.bytes > 7_000_000 {
			t.Errorf("%s: %d requests and %d bytes", name, st.calls, st.bytes)
		}
		// Many at once, in any order.
		var wg sync.WaitGroup
		for path, want := range files {
			wg.Go(func() { // owner: this test, which waits
				got, err := fsys.New(f, "").ReadRange(t.Context(), path, 1000, 200_000)
				if err != nil || !bytes.Equal(got, want[1000:201_000]) {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
			})
		}
		wg.Wait()
	}
}

func TestReplaced(t *testing.T) {
	for _, name := range []string{"x.tar", "x.tgz"} {
		inner := fsys.New(memfs.New(), "mem://t")
		write(t, inner, name, map[string][]byte{"a": []byte("old")})
		f := open(t, inner, name)
		write(t, inner, name, map[string][]byte{"a": []byte("new")})
		if _, err := f.Open(t.Context(), "a", driver.OpenOptions{}); fault.KindOf(err) != fault.Changed {
			t.Errorf("open = %v, want Changed", err)
		}
		if got, err := fsys.New(f, "").ReadFile(t.Context(), "a"); err != nil || string(got) != "new" {
			t.Errorf("then %q, %v", got, err)
		}
	}
}

// What we write, the standard library reads.
func TestOthersReadIt(t *testing.T) {
	inner := fsys.New(memfs.New(), "mem://t")
	files := map[string][]byte{"a": []byte("hello"), "d/é\xff": nil, strings.Repeat("long/", 200) + "name": []byte("x")}
	write(t, inner, "x.tar", files)
	data, err := inner.ReadFile(t.Context(), "x.tar")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := tar.NewReader(bytes.NewReader(data)); ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, files[h.Name]) || h.Typeflag != tar.TypeReg {
			t.Errorf("%q: %q, %v", h.Name, got, err)
		}
	}
	if n != len(files) {
		t.Errorf("%d members", n)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	for _, name := range []string{"x.tar", "x.tgz", "x.tar.zst"} {
		mem := memfs.New()
		w, err := tarfs.Create(t.Context(), fsys.New(mem, ""), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Create(t.Context(), "a", driver.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(m, "text")
		if _, err := m.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil || mem.Len() != 0 {
			t.Errorf("abort: %v, %d objects left", err, mem.Len())
		}
	}
}
