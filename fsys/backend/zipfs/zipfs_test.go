package zipfs_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/zipfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is the archive of the moment; seeding writes a new one.
type opened struct{ driver.FS }

func bad(path string) bool { return archive.CheckName(path) != nil }

func TestConformance(t *testing.T) {
	for name, write := range map[string]func(*testing.T, *fsys.FS, map[string][]byte){
		"deflate": writer(zipfs.Deflate), "store": writer(zipfs.Store), "zstd": writer(zipfs.Zstd), "streamed": streamed,
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				inner := fsys.New(memfs.New(), "mem://t")
				files, o := map[string][]byte{}, &opened{}
				seed := func(t *testing.T, more map[string][]byte) {
					maps.Copy(files, more)
					write(t, inner, files)
					f, err := zipfs.Open(t.Context(), inner, "x.zip", nil)
					if err != nil {
						t.Fatal(err)
					}
					o.FS = f
				}
				seed(t, nil)
				return drivertest.Harness{FS: o, ReadOnly: true, Dirs: true, BadName: bad, Seed: seed}
			})
		})
	}
}

// writer writes archives with the package under test.
func writer(m zipfs.Method) func(*testing.T, *fsys.FS, map[string][]byte) {
	return func(t *testing.T, inner *fsys.FS, files map[string][]byte) {
		t.Helper()
		w, err := zipfs.Create(t.Context(), inner, "x.zip", &zipfs.CreateOptions{Method: m})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for path, data := range files {
			put(t, w, path, data)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, w *zipfs.Writer, path string, data []byte) {
	t.Helper()
	m, err := w.Create(t.Context(), path, driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Abort()
	if _, err := m.Write(data); err != nil {
		t.Fatal(err)
	}
	if e, err := m.Commit(t.Context()); err != nil || e.Size != int64(len(data)) {
		t.Fatalf("commit = %+v, %v", e, err)
	}
}

// streamed writes archives as others do: sizes behind the data, a comment, a
// stub in front.
func streamed(t *testing.T, inner *fsys.FS, files map[string][]byte) {
	t.Helper()
	var buf bytes.Buffer
	buf.WriteString("#!/bin/sh\nexec unzip \"$0\"\n")
	w := zip.NewWriter(&buf)
	for path, data := range files {
		m, err := w.CreateHeader(&zip.FileHeader{Name: "./" + path, Method: zip.Deflate, Extra: bytes.Repeat([]byte{9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 20)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetComment(strings.Repeat("PK\x05\x06 not the end ", 100)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	store(t, inner, buf.Bytes())
}

func store(t *testing.T, inner *fsys.FS, data []byte) {
	t.Helper()
	if _, err := inner.WriteFile(t.Context(), "x.zip", data); err != nil {
		t.Fatal(err)
	}
}

// What we write, the standard library reads.
func TestOthersReadIt(t *testing.T) {
	files := map[string][]byte{"a": []byte("hello"), "d/é\xff": nil, "large": bytes.Repeat([]byte("0123456789"), 300_000)}
	for _, m := range []zipfs.Method{zipfs.Deflate, zipfs.Store} {
		inner := fsys.New(memfs.New(), "mem://t")
		writer(m)(t, inner, files)
		data, err := inner.ReadFile(t.Context(), "x.zip")
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if len(z.File) != len(files) {
			t.Errorf("%d members, want %d", len(z.File), len(files))
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, files[f.Name]) {
				t.Errorf("%q: %d bytes, %v", f.Name, len(got), err)
			}
			r.Close()
		}
	}
}

// counting counts what is asked of the store.
type counting struct {
	driver.FS
	calls int
	bytes int64
}

func (c *counting) Stat(ctx context.Context, path string) (driver.Entry, error) {
	c.calls++
	return c.FS.Stat(ctx, path)
}

func (c *counting) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	c.calls++
	c.bytes += opts.Length
	return c.FS.Open(ctx, path, opts)
}

// Requests are what this package is about.
func TestRequests(t *testing.T) {
	store := &counting{FS: memfs.New()}
	inner := fsys.New(store, "mem://t")
	big := bytes.Repeat([]byte("x1y2z3"), 500_000)
	writer(zipfs.Store)(t, inner, map[string][]byte{"a/big": big, "b": []byte("small")})
	f, err := zipfs.Open(t.Context(), inner, "x.zip", nil)
	if err != nil || store.calls != 1 {
		t.Fatalf("opened with %d requests, %v, want 1", store.calls, err)
	}
	z := fsys.New(f, "zip://")
	for _, c := range []struct {
		off, n int64
		calls  int
	}{{0, -1, 1}, {1_000_000, 100, 1}, {2_000_000, 7, 1}} {
		store.calls, store.bytes = 0, 0
		got, err := z.ReadRange(t.Context(), "a/big", c.off, c.n)
		end := c.off + c.n
		if c.n < 0 {
			end = int64(len(big))
		}
		if err != nil || !bytes.Equal(got, big[c.off:end]) {
			t.Errorf("range %d+%d: %d bytes, %v", c.off, c.n, len(got), err)
		}
		if store.calls != c.calls || c.n > 0 && store.bytes != c.n {
			t.Errorf("range %d+%d took %d requests for %d bytes", c.off, c.n, store.calls, store.bytes)
		}
	}
	store.calls = 0
	for range z.Glob(t.Context(), "**", nil) {
	}
	if _, err := z.Stat(t.Context(), "b"); err != nil || store.calls != 0 {
		t.Errorf("listing took %d requests, %v", store.calls, err)
	}
}

// More names than 16 bits count, and a table that needs a second request.
func TestZip64(t *testing.T) {
	inner := fsys.New(memfs.New(), "mem://t")
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range 70_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%05d", i), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, stub := range []string{"", "a stub in front"} {
		store(t, inner, append([]byte(stub), buf.Bytes()...))
		f, err := zipfs.Open(t.Context(), inner, "x.zip", nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range f.List(t.Context(), "", driver.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 70_000 {
			t.Errorf("%d members", n)
		}
		if _, err := fsys.New(f, "").ReadFile(t.Context(), "69999"); err != nil {
			t.Error(err)
		}
	}
	if _, err := zipfs.Open(t.Context(), inner, "x.zip", &zipfs.Options{MaxMembers: 69_999}); fault.KindOf(err) != fault.Refused {
		t.Errorf("too many members: %v", err)
	}
	if _, err := zipfs.Open(t.Context(), inner, "x.zip", &zipfs.Options{MaxTable: 1000}); fault.KindOf(err) != fault.Refused {
		t.Errorf("too large a table: %v", err)
	}
}

// A replaced archive is noticed, and read anew by the next call.
func TestReplaced(t *testing.T) {
	inner := fsys.New(memfs.New(), "mem://t")
	writer(zipfs.Store)(t, inner, map[string][]byte{"a": []byte("old")})
	f, err := zipfs.Open(t.Context(), inner, "x.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	writer(zipfs.Store)(t, inner, map[string][]byte{"a": []byte("new"), "b": nil})
	if _, err := f.Open(t.Context(), "a", driver.OpenOptions{}); fault.KindOf(err) != fault.Changed {
		t.Errorf("open = %v, want Changed", err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "a"); err != nil || string(got) != "new" {
		t.Errorf("then %q, %v", got, err)
	}
	if err := inner.Remove(t.Context(), "x.zip"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.Open(t.Context(), "b", driver.OpenOptions{}); fault.KindOf(err) != fault.Changed {
			t.Errorf("open in an archive that has gone = %v, want Changed", err)
		}
	}
}

// Through a mux, inside another archive.
func TestChain(t *testing.T) {
	m := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend(), "zip": zipfs.Backend(nil)})
	defer m.Close()
	defer memfs.Forget(t.Name())
	outer, _, err := m.Resolve(t.Context(), "mem://"+t.Name()+"/x.zip")
	if err != nil {
		t.Fatal(err)
	}
	writer(zipfs.Deflate)(t, outer, map[string][]byte{"in/a.csv": []byte("1"), "in/b.csv": []byte("2"), "c": nil})
	data, err := outer.ReadFile(t.Context(), "x.zip")
	if err != nil {
		t.Fatal(err)
	}
	writer(zipfs.Store)(t, outer, map[string][]byte{"d/x.zip": data})
	var got []string
	for match, err := range m.Glob(t.Context(), "zip://in/*.csv::zip://d/x.zip::mem://"+t.Name()+"/x.zip", nil) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := match.FS.ReadFile(t.Context(), match.Entry.Path)
		got = append(got, string(b))
		if err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("found %q", got)
	}
	for url, kind := range map[string]fault.Kind{
		"zip,a=b::mem://" + t.Name() + "/x.zip": fault.Invalid,
		"zip::mem://" + t.Name() + "/absent":    fault.NotExist,
	} {
		if _, _, err := m.Resolve(t.Context(), url); fault.KindOf(err) != kind {
			t.Errorf("%s: %v, want %v", url, err, kind)
		}
	}
}
