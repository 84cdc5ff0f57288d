package drivertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testConcurrent(t *testing.T, s *suite) {
	const writers, rounds = 8, 4
	contents := make([][]byte, writers)
	for i := range contents {
		contents[i] = pattern(50_000+i, byte(i))
	}
	whole := func(got []byte) bool {
		return slices.ContainsFunc(contents, func(c []byte) bool { return string(c) == string(got) })
	}
	s.write(t, "same", contents[0])
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { // owner: this test, which waits
			for round := range rounds {
				s.write(t, "same", contents[i])
				own := fmt.Sprintf("own/%d/%d", i, round)
				s.write(t, own, contents[i])
				s.wantContent(t, own, contents[i])
				got, err := s.read("same", driver.OpenOptions{})
				if err == nil && !whole(got) {
					t.Errorf("a reader got %d bytes that nobody wrote", len(got))
				}
				if _, err := collect(s.FS.List(s.ctx, "", driver.ListOptions{Recursive: true})); err != nil {
					t.Errorf("list beside writers: %v", err)
				}
				if err := s.FS.Remove(s.ctx, own); err != nil {
					t.Errorf("remove %q: %v", own, err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := s.read("same", driver.OpenOptions{}); err != nil || !whole(got) {
		t.Errorf("after concurrent writers: %d bytes, %v, want one of the contents", len(got), err)
	}
	if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, []string{"same"}) {
		t.Errorf("left: %q", got)
	}
	s.wantNoLeftovers(t)
}

func testCanceled(t *testing.T, s *suite) {
	s.names(t, "f", "d/x")
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err := s.FS.Stat(ctx, "f")
	wantKind(t, "stat", "f", err, fault.Canceled)
	for _, recursive := range []bool{false, true} {
		_, err = collect(s.FS.List(ctx, "d", driver.ListOptions{Recursive: recursive}))
		wantKind(t, "list", "d", err, fault.Canceled)
	}
	r, err := s.FS.Open(ctx, "f", driver.OpenOptions{})
	wantKind(t, "open", "f", err, fault.Canceled)
	if err == nil {
		r.Close()
	}
	s.checkCancelRead(t)
	if s.ReadOnly {
		return
	}
	wantKind(t, "remove", "f", s.FS.Remove(ctx, "f"), fault.Canceled)
	if w, err := s.FS.Create(ctx, "new", driver.CreateOptions{}); err == nil {
		_, _ = w.Write([]byte("x"))
		_, err = w.Commit(ctx)
		wantKind(t, "commit", "new", err, fault.Canceled)
		w.Abort()
	} else {
		wantKind(t, "create", "new", err, fault.Canceled)
	}
	if c, ok := s.FS.(driver.Copier); ok {
		_, err = c.Copy(ctx, "f", "new")
		wantKind(t, "copy", "f", err, fault.Canceled)
	}
	if b, ok := s.FS.(driver.BatchRemover); ok {
		for _, err := range b.RemoveBatch(ctx, []string{"f"}) {
			wantKind(t, "remove batch", "f", err, fault.Canceled)
		}
	}
	want := []string{"d/x", "f"}
	if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, want) {
		t.Errorf("after canceled calls: %q, want %q", got, want)
	}
}

// checkCancelRead cancels between two reads of one object: the rest must not
// pass for the end.
func (s *suite) checkCancelRead(t *testing.T) {
	data := pattern(4<<20, 5)
	s.seed(t, map[string][]byte{"large": data})
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	r, err := s.FS.Open(ctx, "large", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 1000)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	got := n
	for err == nil {
		n, err = r.Read(buf)
		got += n
	}
	// What was buffered may still come, even all of it.
	if fault.KindOf(err) != fault.Canceled && got != len(data) {
		t.Errorf("read after cancel: %d of %d bytes, then %v", got, len(data), err)
	}
	if !s.ReadOnly {
		if err := s.FS.Remove(s.ctx, "large"); err != nil {
			t.Error(err)
		}
	}
}

func testClosed(t *testing.T, s *suite) {
	if s.KeepOpen {
		return
	}
	s.names(t, "f")
	if err := s.FS.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if _, err := s.FS.Stat(s.ctx, "f"); err == nil || fault.KindOf(err) == fault.NotExist {
		t.Errorf("stat after close = %v, want an error that does not say absent", err)
	}
	if _, err := collect(s.FS.List(s.ctx, "", driver.ListOptions{})); err == nil || fault.KindOf(err) == fault.NotExist {
		t.Errorf("list after close = %v, want an error that does not say absent", err)
	}
}
