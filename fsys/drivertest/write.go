package drivertest

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testWrite(t *testing.T, s *suite) {
	for _, c := range []struct {
		path string
		data []byte
		hint int64
	}{
		{"empty", nil, 0},
		{"a/b/c", []byte("hello"), 0},
		{"hinted", pattern(5000, 1), 5000},
		{"less", pattern(50, 2), 5000},
		{"more", pattern(5000, 3), 50},
		{"large", pattern(2<<20, 4), 0},
	} {
		w, err := s.FS.Create(s.ctx, c.path, driver.CreateOptions{SizeHint: c.hint})
		if err != nil {
			t.Fatalf("create %q: %v", c.path, err)
		}
		s.writePieces(t, w, c.path, c.data)
		_, err = s.FS.Stat(s.ctx, c.path)
		wantKind(t, "stat before commit", c.path, err, fault.NotExist)
		e, err := w.Commit(s.ctx)
		if err != nil {
			t.Fatalf("commit %q: %v", c.path, err)
		}
		st, err := s.FS.Stat(s.ctx, c.path)
		if err != nil || st.Size != int64(len(c.data)) || e.Path != c.path || e.Size != st.Size || e.Version != st.Version || e.Kind != driver.File {
			t.Errorf("commit %q = %+v, stat = %+v, %v", c.path, e, st, err)
		}
		s.wantContent(t, c.path, c.data)
		if err := w.Abort(); err != nil {
			t.Errorf("abort after commit: %v", err)
		}
		s.wantContent(t, c.path, c.data)
		if _, err := w.Commit(s.ctx); err == nil {
			t.Error("a second commit succeeded")
		}
	}
	s.wantNoLeftovers(t)
	_, err := s.FS.Create(s.ctx, "", driver.CreateOptions{})
	wantKind(t, "create of the root", "", err, fault.IsDir, fault.Invalid)
}

// writePieces writes data in pieces of odd sizes and scribbles over the
// buffer afterwards, which belongs to the caller again.
func (s *suite) writePieces(t *testing.T, w io.Writer, path string, data []byte) {
	t.Helper()
	buf := make([]byte, 0, 100_003)
	for piece := 1; len(data) > 0; piece = min(piece*7, cap(buf)) {
		buf = append(buf[:0], data[:min(piece, len(data))]...)
		n, err := w.Write(buf)
		if n != len(buf) || err != nil {
			t.Fatalf("write %q: %d of %d bytes, %v", path, n, len(buf), err)
		}
		clear(buf)
		data = data[n:]
	}
}

func testWriteAbort(t *testing.T, s *suite) {
	for _, size := range []int{0, 10, 1 << 20} {
		w, err := s.FS.Create(s.ctx, "a/b/f", driver.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.writePieces(t, w, "a/b/f", pattern(size, 1))
		for range 2 {
			if err := w.Abort(); err != nil {
				t.Errorf("abort after %d bytes: %v", size, err)
			}
		}
		if _, err := w.Commit(s.ctx); err == nil {
			t.Error("commit after abort succeeded")
		}
		s.wantNothing(t)
	}
	s.write(t, "f", []byte("old"))
	w, err := s.FS.Create(s.ctx, "f", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.writePieces(t, w, "f", []byte("new and longer"))
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	s.wantContent(t, "f", []byte("old"))
	s.wantNoLeftovers(t)
}

func testWriteCancel(t *testing.T, s *suite) {
	for _, size := range []int{0, 10, 1 << 20} {
		ctx, cancel := context.WithCancel(s.ctx)
		w, err := s.FS.Create(ctx, "d/f", driver.CreateOptions{})
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		s.writePieces(t, w, "d/f", pattern(size, 1))
		cancel()
		// Whether Write notices is up to the store; Commit must.
		_, _ = w.Write([]byte("late"))
		_, err = w.Commit(ctx)
		wantKind(t, "commit after cancel", "d/f", err, fault.Canceled)
		if err := w.Abort(); err != nil {
			t.Errorf("abort after cancel: %v", err)
		}
		s.wantNothing(t)
	}
	// Canceled and only aborted.
	ctx, cancel := context.WithCancel(s.ctx)
	w, err := s.FS.Create(ctx, "f", driver.CreateOptions{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	s.writePieces(t, w, "f", pattern(1<<20, 1))
	cancel()
	if err := w.Abort(); err != nil {
		t.Errorf("abort after cancel: %v", err)
	}
	s.wantNothing(t)
}

func testWriteExclusive(t *testing.T, s *suite) {
	excl := driver.CreateOptions{Exclusive: true}
	w, err := s.FS.Create(s.ctx, "f", excl)
	if s.NoExclusive {
		wantKind(t, "exclusive create", "f", err, fault.Unsupported)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	late, err := s.FS.Create(s.ctx, "f", excl)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Abort()
	s.writePieces(t, w, "f", []byte("first"))
	s.writePieces(t, late, "f", []byte("second"))
	if _, err := w.Commit(s.ctx); err != nil {
		t.Errorf("exclusive commit: %v", err)
	}
	_, err = late.Commit(s.ctx)
	wantKind(t, "second exclusive commit", "f", err, fault.Exist)
	s.wantContent(t, "f", []byte("first"))
	late.Abort()
	s.wantNoLeftovers(t)
}

func testWriteReplace(t *testing.T, s *suite) {
	old, next := pattern(1<<20, 1), pattern(1<<20+5, 2)
	s.write(t, "f", old)
	r, err := s.FS.Open(s.ctx, "f", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	w, err := s.FS.Create(s.ctx, "f", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	s.writePieces(t, w, "f", next)
	s.wantContent(t, "f", old)
	if _, err := w.Commit(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.wantContent(t, "f", next)
	// A reader of the old object gets all of it or an error, never a mix.
	tail, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(append(head, tail...), old) {
		t.Error("a reader got a mix of two versions")
	}
	if got := s.list(t, "", driver.ListOptions{}); len(got) != 1 || got[0].Size != int64(len(next)) {
		t.Errorf("list after replacing = %+v", got)
	}
}
