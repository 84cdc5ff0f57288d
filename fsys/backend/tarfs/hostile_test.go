package tarfs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/tarfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// build makes a plain archive; regular members hold their name.
func build(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		data := ""
		if h.Typeflag == tar.TypeReg {
			data = h.Name
		}
		h.Size = int64(len(data))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func openBytes(t *testing.T, data []byte, opts *tarfs.Options) (*tarfs.FS, error) {
	t.Helper()
	inner := fsys.New(memfs.New(), "mem://t")
	store(t, inner, "x", data)
	f, err := tarfs.Open(t.Context(), inner, "x", opts)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func TestRefusedMembers(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
	f, err := openBytes(t, build(t, reg("../evil"), reg("a/../../evil"), reg("/etc/passwd"), reg("a/./b"),
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc"}, reg("link/x"),
		tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "good"}, tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"},
		tar.Header{Typeflag: tar.TypeChar, Name: "tty"}, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}},
		reg("good"), reg("./././good2"), reg("twice"), reg("./twice")), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]fault.Kind{
		"../evil": fault.Refused, "a/../../evil": fault.Refused, "/etc/passwd": fault.Refused, "a/./b": fault.Refused,
		"link": fault.Refused, "hard": fault.Refused, "pipe": fault.Refused, "tty": fault.Refused,
		"good": fault.None, "good2": fault.None, "link/x": fault.None, "absent": fault.NotExist, "pax_global_header": fault.NotExist,
	} {
		if _, err := fsys.New(f, "").ReadFile(t.Context(), name); fault.KindOf(err) != kind {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
		if e, _ := f.Stat(t.Context(), name); (e.Kind == driver.Other) != (kind == fault.Refused) {
			t.Errorf("%s is a %v", name, e.Kind)
		}
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "twice"); err != nil || string(got) != "./twice" {
		t.Errorf("of two members with one name: %q, %v", got, err)
	}
}

// gnuSparse is the header of a member with holes, as GNU tar -S writes it.
func gnuSparse() []byte {
	h := make([]byte, 1024)
	copy(h, "sparse")
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], "00000000004\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000010000\x0000000000004\x00") // four bytes at 4096
	copy(h[483:], "00000010004\x00")
	copy(h[512:], "data")
	sum := 8 * int(' ')
	for _, c := range h[:512] {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func TestSparse(t *testing.T) {
	f, err := openBytes(t, append(gnuSparse(), build(t, tar.Header{Typeflag: tar.TypeReg, Name: "after"})...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), "sparse", driver.OpenOptions{}); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("open: %v, want Unsupported", err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "after"); err != nil || string(got) != "after" {
		t.Errorf("after it: %q, %v", got, err)
	}
}

func TestNotAnArchive(t *testing.T) {
	good := build(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"}, tar.Header{Typeflag: tar.TypeReg, Name: "b"})
	for name, c := range map[string]struct {
		data []byte
		kind fault.Kind
	}{
		"empty": {nil, fault.Corrupt}, "text": {bytes.Repeat([]byte("hello"), 1000), fault.Corrupt},
		"cut in a member": {good[:512], fault.Corrupt}, "cut in a header": {good[:1024+100], fault.Corrupt},
		"gzip of text": {packed(t, bytes.Repeat([]byte("hello"), 1000)), fault.Corrupt},
		"gzip, cut":    {packed(t, good)[:60], fault.Corrupt},
		"gzip, sum":    {append(packed(t, good)[:len(packed(t, good))-8], 1, 2, 3, 4, 5, 6, 7, 8), fault.Corrupt},
		"xz":           {[]byte("\xfd7zXZ\x00rest"), fault.Unsupported},
	} {
		if _, err := openBytes(t, c.data, nil); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
}

func TestLimits(t *testing.T) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 65 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 65<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := packed(t, buf.Bytes())
	for _, c := range []struct {
		opts tarfs.Options
		kind fault.Kind
	}{
		{tarfs.Options{}, fault.None}, {tarfs.Options{MaxRatio: 100}, fault.Refused},
		{tarfs.Options{MaxSize: 1 << 20}, fault.Refused}, {tarfs.Options{MaxRatio: -1, MaxSize: -1, MaxMembers: -1}, fault.None},
	} {
		if _, err := openBytes(t, bomb, &c.opts); fault.KindOf(err) != c.kind {
			t.Errorf("%+v: %v, want %v", c.opts, err, c.kind)
		}
	}
	many := build(t, tar.Header{Typeflag: tar.TypeReg, Name: "a/b/c/d"})
	if _, err := openBytes(t, many, &tarfs.Options{MaxMembers: 3}); fault.KindOf(err) != fault.Refused {
		t.Errorf("more names than allowed: %v", err)
	}
}

// Whatever fails in the store below is its own error and never a short file.
func TestStoreFails(t *testing.T) {
	plain := build(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"}, tar.Header{Typeflag: tar.TypeReg, Name: "b"})
	down := fault.New("", "", fault.Unavailable, errors.New("broken"))
	for _, data := range [][]byte{plain, packed(t, plain)} {
		mem := memfs.New()
		store(t, fsys.New(mem, ""), "x", data)
		for _, op := range []string{"stat", "open", "read"} {
			for call := range 8 {
				drv, _ := faultfs.New(mem, &faultfs.Rule{Op: op, Skip: call, Times: 1, Err: down})
				f, err := tarfs.Open(t.Context(), fsys.New(drv, "mem://t"), "x", nil)
				if err == nil {
					var got []byte
					got, err = fsys.New(f, "tar://").ReadFile(t.Context(), "b")
					if err == nil && string(got) != "b" {
						t.Errorf("%q without an error", got)
					}
					f.Close()
				}
				if err != nil && fault.KindOf(err) != fault.Unavailable {
					t.Errorf("%s %d: %v, want Unavailable", op, call, err)
				}
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	plain := build(f, tar.Header{Typeflag: tar.TypeReg, Name: "a"}, tar.Header{Typeflag: tar.TypeReg, Name: "é/b", PAXRecords: map[string]string{"comment": "x"}})
	f.Add(plain)
	f.Add(packed(f, plain))
	f.Add(gnuSparse())
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := openBytes(t, data, &tarfs.Options{MaxSize: 4 << 20, MaxMembers: 10_000})
		if err != nil {
			return
		}
		for e, err := range z.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != driver.File || e.Size > 1<<20 {
				continue
			}
			if got, err := fsys.New(z, "").ReadFile(t.Context(), e.Path); err == nil && int64(len(got)) != e.Size {
				t.Fatalf("%d bytes of %d without an error", len(got), e.Size)
			}
		}
	})
}
