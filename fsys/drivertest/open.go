package drivertest

import (
	"bytes"
	"io"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testOpen(t *testing.T, s *suite) {
	data := pattern(100, 1)
	s.seed(t, map[string][]byte{"f": data, "empty": {}})
	for _, c := range []struct {
		path        string
		off, length int64
		want        []byte
	}{
		{"f", 0, 0, data},
		{"f", 0, 10, data[:10]},
		{"f", 0, 100, data},
		{"f", 0, 101, data},
		{"f", 1, 0, data[1:]},
		{"f", 40, 20, data[40:60]},
		{"f", 99, 0, data[99:]},
		{"f", 99, 1, data[99:]},
		{"f", 90, 1000, data[90:]},
		{"f", 100, 0, nil},
		{"f", 100, 5, nil},
		{"f", 101, 0, nil},
		{"f", 1 << 40, 7, nil},
		{"f", -1, 0, data[99:]},
		{"f", -10, 0, data[90:]},
		{"f", -10, 4, data[90:94]},
		{"f", -10, 100, data[90:]},
		{"f", -100, 0, data},
		{"f", -1000, 0, data},
		{"f", -1000, 10, data[:10]},
		{"empty", 0, 0, nil},
		{"empty", 0, 5, nil},
		{"empty", 5, 0, nil},
		{"empty", -5, 0, nil},
	} {
		got, err := s.read(c.path, driver.OpenOptions{Offset: c.off, Length: c.length})
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("read %q offset %d length %d = %x, %v, want %x", c.path, c.off, c.length, got, err, c.want)
		}
	}
	s.checkReader(t, data)
}

// checkReader looks at the reader itself: its entry, small reads, the end
// seen twice, closing early.
func (s *suite) checkReader(t *testing.T, data []byte) {
	r, err := s.FS.Open(s.ctx, "f", driver.OpenOptions{Offset: 10, Length: 3})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Entry(); e.Path != "f" || e.Kind != driver.File || e.Size != -1 && e.Size != 100 {
		t.Errorf("entry of a range = %+v, want that of the whole object", e)
	} else if st, err := s.FS.Stat(s.ctx, "f"); err != nil || e.Version != st.Version {
		t.Errorf("the reader has version %q, Stat %q, %v", e.Version, st.Version, err)
	}
	one := make([]byte, 1)
	for i := 10; i < 13; i++ {
		if _, err := io.ReadFull(r, one); err != nil || one[0] != data[i] {
			t.Errorf("byte %d = %x, %v, want %x", i, one, err, data[i])
		}
	}
	for range 2 {
		if n, err := r.Read(one); n != 0 || err != io.EOF {
			t.Errorf("read at the end = %d, %v, want io.EOF", n, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	r, err = s.FS.Open(s.ctx, "f", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, one); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close before the end: %v", err)
	}
}

func testOpenLarge(t *testing.T, s *suite) {
	data := pattern(3<<20+17, 2)
	s.seed(t, map[string][]byte{"large": data})
	s.wantContent(t, "large", data)
	got, err := s.read("large", driver.OpenOptions{Offset: 1<<20 + 1, Length: 1 << 20})
	if err != nil || !bytes.Equal(got, data[1<<20+1:][:1<<20]) {
		t.Errorf("a range of a large object: %d bytes, %v", len(got), err)
	}
	r, err := s.FS.Open(s.ctx, "large", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close in the middle of a large object: %v", err)
	}
}

func testOpenRefuses(t *testing.T, s *suite) {
	s.names(t, "f", "d/x")
	for path, kind := range map[string]fault.Kind{
		"absent": fault.NotExist, "d/absent": fault.NotExist, "f/x": fault.NotExist,
		"d": fault.IsDir, "": fault.IsDir,
	} {
		r, err := s.FS.Open(s.ctx, path, driver.OpenOptions{})
		if err == nil {
			r.Close()
		}
		wantKind(t, "open "+path, path, err, kind)
	}
}

func testOpenVersion(t *testing.T, s *suite) {
	if s.NoVersion {
		return
	}
	data := pattern(1000, 3)
	s.seed(t, map[string][]byte{"f": data})
	e, err := s.FS.Stat(s.ctx, "f")
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 10, -10} {
		if _, err := s.read("f", driver.OpenOptions{Offset: off, Version: e.Version}); err != nil {
			t.Errorf("open of the present version at %d: %v", off, err)
		}
	}
	if s.ReadOnly {
		return
	}
	now := s.write(t, "f", pattern(1000, 4))
	for _, off := range []int64{0, 10, -10, 2000} {
		_, err = s.read("f", driver.OpenOptions{Offset: off, Version: e.Version})
		wantKind(t, "open of a replaced version", "f", err, fault.Changed)
	}
	got, err := s.read("f", driver.OpenOptions{Version: now.Version})
	if err != nil || !bytes.Equal(got, pattern(1000, 4)) {
		t.Errorf("open of the version that Commit returned: %v", err)
	}
	if err := s.FS.Remove(s.ctx, "f"); err != nil {
		t.Fatal(err)
	}
	_, err = s.read("f", driver.OpenOptions{Version: now.Version})
	wantKind(t, "open of a version that is gone", "f", err, fault.NotExist, fault.Changed)
}
