package zipfs_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/zipfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// build makes an archive of headers, each with data as its raw bytes.
func build(t testing.TB, headers []zip.FileHeader, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, h := range headers {
		m, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(data[:h.CompressedSize64]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func openBytes(t *testing.T, data []byte, opts *zipfs.Options) (*zipfs.FS, error) {
	t.Helper()
	inner := fsys.New(memfs.New(), "mem://t")
	store(t, inner, data)
	return zipfs.Open(t.Context(), inner, "x.zip", opts)
}

func TestRefusedMembers(t *testing.T) {
	mode := func(m os.FileMode) uint32 {
		h := zip.FileHeader{}
		h.SetMode(m)
		return h.ExternalAttrs
	}
	const unix = 3 << 8
	for _, c := range []struct {
		h    zip.FileHeader
		kind fault.Kind
	}{
		{zip.FileHeader{Name: "../evil"}, fault.Refused},
		{zip.FileHeader{Name: "a/../../evil"}, fault.Refused},
		{zip.FileHeader{Name: "/etc/passwd"}, fault.Refused},
		{zip.FileHeader{Name: "a/./b"}, fault.Refused},
		{zip.FileHeader{Name: "link", CreatorVersion: unix, ExternalAttrs: mode(os.ModeSymlink | 0o777)}, fault.Refused},
		{zip.FileHeader{Name: "pipe", CreatorVersion: unix, ExternalAttrs: mode(os.ModeNamedPipe)}, fault.Refused},
		{zip.FileHeader{Name: "secret", Flags: 1}, fault.Unsupported},
		{zip.FileHeader{Name: "lzma", Method: 14}, fault.Unsupported},
		{zip.FileHeader{Name: "deflate", Method: 8, CompressedSize64: 9, UncompressedSize64: 3}, fault.Corrupt},
		{zip.FileHeader{Name: "zstd", Method: 93, CompressedSize64: 9, UncompressedSize64: 3}, fault.Corrupt},
		{zip.FileHeader{Name: "sum", CompressedSize64: 9, UncompressedSize64: 9, CRC32: 1}, fault.Corrupt},
		{zip.FileHeader{Name: "sizes", CompressedSize64: 9, UncompressedSize64: 8}, fault.Corrupt},
	} {
		f, err := openBytes(t, build(t, []zip.FileHeader{c.h, {Name: "good"}}, []byte("\xffgarbage!")), nil)
		if err != nil {
			t.Errorf("%s: %v", c.h.Name, err)
			continue
		}
		_, err = fsys.New(f, "").ReadFile(t.Context(), c.h.Name)
		if fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %v", c.h.Name, err, c.kind)
		}
		if _, err := fsys.New(f, "").ReadFile(t.Context(), "good"); err != nil {
			t.Errorf("beside %s: %v", c.h.Name, err)
		}
		e, err := f.Stat(t.Context(), c.h.Name)
		if (e.Kind == driver.Other) != (c.kind == fault.Refused) || err != nil {
			t.Errorf("%s is a %v, %v", c.h.Name, e.Kind, err)
		}
	}
}

func TestBombs(t *testing.T) {
	var zeros bytes.Buffer
	w := zip.NewWriter(&zeros)
	m, err := w.Create("zeros")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(m, zero{}, 65<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	read := func(opts *zipfs.Options) error {
		f, err := openBytes(t, zeros.Bytes(), opts)
		if err != nil {
			return err
		}
		r, err := f.Open(t.Context(), "zeros", driver.OpenOptions{})
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	}
	for _, c := range []struct {
		opts *zipfs.Options
		kind fault.Kind
	}{
		{nil, fault.None}, {&zipfs.Options{MaxRatio: 100}, fault.Refused},
		{&zipfs.Options{MaxSize: 64 << 20}, fault.Refused}, {&zipfs.Options{MaxRatio: -1, MaxSize: -1}, fault.None},
	} {
		if err := read(c.opts); fault.KindOf(err) != c.kind {
			t.Errorf("%+v: %v, want %v", c.opts, err, c.kind)
		}
	}
	// More bytes than the table says end at what it says.
	less := bytes.Replace(bytes.Clone(zeros.Bytes()), []byte{0, 0, 0x10, 4, 5, 0}, []byte{16, 0, 0, 0, 5, 0}, 1)
	if bytes.Equal(less, zeros.Bytes()) {
		t.Fatal("the size is not where it was expected")
	}
	f, err := openBytes(t, less, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "zeros"); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("%d bytes, %v, want Corrupt", len(got), err)
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Members that share bytes are how a small archive unpacks to petabytes.
func TestOverlap(t *testing.T) {
	data := build(t, []zip.FileHeader{{Name: "a", CompressedSize64: 9, UncompressedSize64: 9}, {Name: "b", CompressedSize64: 9, UncompressedSize64: 9}, {Name: "c"}}, []byte("123456789"))
	// The second record of the table points at the first member.
	i := bytes.Index(data, []byte("PK\x01\x02"))
	i += 4 + bytes.Index(data[i+4:], []byte("PK\x01\x02"))
	copy(data[i+42:i+46], []byte{0, 0, 0, 0})
	f, err := openBytes(t, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := f.Open(t.Context(), name, driver.OpenOptions{}); fault.KindOf(err) != fault.Refused {
			t.Errorf("open %s: %v, want Refused", name, err)
		}
	}
	if _, err := fsys.New(f, "").ReadFile(t.Context(), "c"); err != nil {
		t.Error(err)
	}
}

func TestNotAnArchive(t *testing.T) {
	good := build(t, []zip.FileHeader{{Name: "a"}}, nil)
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": good[:len(good)-1], "no front": good[5:], "tar": make([]byte, 10240),
	} {
		if _, err := openBytes(t, data, nil); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("%s: %v, want Corrupt", name, err)
		}
	}
}

// Of two members with one name the last counts.
func TestDuplicates(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, text := range []string{"first", "second"} {
		for _, name := range []string{"d/", "d/x"} {
			m, err := w.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if name == "d/x" {
				fmt.Fprint(m, text)
			}
		}
	}
	w.Close()
	f, err := openBytes(t, buf.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "d/x"); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
	n := 0
	for range f.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
		n++
	}
	if n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

// Whatever fails in the store below is its own error and never a short file.
func TestStoreFails(t *testing.T) {
	mem := memfs.New()
	inner := fsys.New(mem, "mem://t")
	writer(zipfs.Deflate)(t, inner, map[string][]byte{"a": bytes.Repeat([]byte("abc"), 100_000)})
	down := fault.New("", "", fault.Unavailable, errors.New("broken"))
	for _, op := range []string{"open", "read"} {
		for call := range 6 {
			drv, _ := faultfs.New(mem, &faultfs.Rule{Op: op, Skip: call, Times: 1, Err: down})
			f, err := zipfs.Open(t.Context(), fsys.New(drv, "mem://t"), "x.zip", nil)
			if err == nil {
				var data []byte
				data, err = fsys.New(f, "zip://").ReadFile(t.Context(), "a")
				if err == nil && len(data) != 300_000 {
					t.Errorf("%d bytes without an error", len(data))
				}
			}
			if err != nil && fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s %d: %v, want Unavailable", op, call, err)
			}
		}
	}
}

func TestWriteLeavesNothing(t *testing.T) {
	mem := memfs.New()
	inner := fsys.New(mem, "mem://t")
	w, err := zipfs.Create(t.Context(), inner, "x.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.Create(t.Context(), "a", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("commit with a member under way: %v, want Invalid", err)
	}
	m.Abort()
	put(t, w, "b", []byte("b"))
	if _, err := w.Create(t.Context(), "b", driver.CreateOptions{}); fault.KindOf(err) != fault.Exist {
		t.Errorf("a name twice: %v, want Exist", err)
	}
	for _, name := range []string{"", "/x", "../x", "a/..", "x/", "a\x00b"} {
		if _, err := w.Create(t.Context(), name, driver.CreateOptions{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("name %q: %v, want Invalid", name, err)
		}
	}
	if err := w.Abort(); err != nil || mem.Len() != 0 {
		t.Errorf("abort: %v, %d objects left", err, mem.Len())
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("commit after abort")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if w, err = zipfs.Create(ctx, inner, "x.zip", nil); err != nil {
		t.Fatal(err)
	}
	put(t, w, "b", []byte("b"))
	cancel()
	if _, err := w.Commit(ctx); fault.KindOf(err) != fault.Canceled || mem.Len() != 0 {
		t.Errorf("commit after cancel: %v, %d objects", err, mem.Len())
	}
	w.Abort()
}

// Many members at once, some of them given up.
func TestConcurrentWriters(t *testing.T) {
	inner := fsys.New(memfs.New(), "mem://t")
	w, err := zipfs.Create(t.Context(), inner, "x.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() { // owner: this test, which waits
			m, err := w.Create(t.Context(), fmt.Sprintf("d/%02d", i), driver.CreateOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer m.Abort()
			for range i {
				fmt.Fprintf(m, "%d\n", i)
			}
			if i%4 == 0 {
				return
			}
			if _, err := m.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := zipfs.Open(t.Context(), inner, "x.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range f.List(t.Context(), "d", driver.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.New(f, "").ReadFile(t.Context(), e.Path); err != nil {
			t.Error(err)
		}
		n++
	}
	if n != 30 {
		t.Errorf("%d members, want 30", n)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(build(f, []zip.FileHeader{{Name: "a", CompressedSize64: 3, UncompressedSize64: 3}, {Name: "../b", Method: 8, CompressedSize64: 9, UncompressedSize64: 1 << 40}}, []byte("123456789")))
	f.Add(build(f, []zip.FileHeader{{Name: "z", Method: 93, CompressedSize64: 5, UncompressedSize64: 1 << 33, Flags: 8}}, []byte("123456789")))
	f.Add([]byte("PK\x06\x06" + string(make([]byte, 52)) + "PK\x06\x07" + string(make([]byte, 16)) + "PK\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inner := fsys.New(memfs.New(), "mem://t")
		store(t, inner, data)
		z, err := zipfs.Open(t.Context(), inner, "x.zip", &zipfs.Options{MaxSize: 1 << 20, MaxMembers: 10_000})
		if err != nil {
			return
		}
		last := ""
		for e, err := range z.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
			if err != nil {
				t.Fatal(err)
			}
			key := e.Path
			if e.Kind == driver.Dir {
				key += "/"
			}
			if key <= last {
				t.Fatalf("%q comes after %q", key, last)
			}
			last = key
			if _, err := z.Stat(t.Context(), e.Path); err != nil {
				t.Fatal(err)
			}
			if e.Kind != driver.File {
				continue
			}
			if got, err := fsys.New(z, "").ReadFile(t.Context(), e.Path); err == nil && int64(len(got)) != e.Size {
				t.Fatalf("%d bytes of %d without an error", len(got), e.Size)
			}
		}
	})
}
