package drivertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testRemove(t *testing.T, s *suite) {
	s.names(t, "f", "d/x", "d/y", "e/z")
	if err := s.FS.Remove(s.ctx, "f"); err != nil {
		t.Errorf("remove: %v", err)
	}
	_, err := s.FS.Stat(s.ctx, "f")
	wantKind(t, "stat of a removed object", "f", err, fault.NotExist)
	for _, path := range []string{"f", "absent", "d/absent"} {
		wantKind(t, "remove "+path, path, s.FS.Remove(s.ctx, path), fault.None, fault.NotExist)
	}
	// Removing a directory that is not empty removes nothing below it.
	if err := s.FS.Remove(s.ctx, "d"); err == nil && s.Dirs {
		t.Error("a directory with something in it was removed")
	}
	want := []string{"d/x", "d/y", "e/z"}
	if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, want) {
		t.Errorf("left after removing: %q, want %q", got, want)
	}
	if err := s.FS.Remove(s.ctx, "e/z"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if s.Dirs {
		if err := s.FS.Remove(s.ctx, "e"); err != nil {
			t.Errorf("remove of an empty directory: %v", err)
		}
	}
	_, err = s.FS.Stat(s.ctx, "e")
	wantKind(t, "stat of a removed directory", "e", err, fault.NotExist)
}

func testBatch(t *testing.T, s *suite) {
	b, ok := s.FS.(driver.BatchRemover)
	if !ok {
		return // optional
	}
	if b.MaxRemoveBatch() < 1 {
		t.Fatalf("MaxRemoveBatch = %d", b.MaxRemoveBatch())
	}
	var batch []string
	for i := range min(b.MaxRemoveBatch(), 300) {
		batch = append(batch, fmt.Sprintf("d/%03d & <%d>", i, i))
	}
	s.names(t, append([]string{"keep", "d/keep"}, batch...)...)
	for round := range 2 { // the second time all are absent
		errs := s.FS.(driver.BatchRemover).RemoveBatch(s.ctx, batch)
		if len(errs) != len(batch) {
			t.Fatalf("%d answers for %d paths", len(errs), len(batch))
		}
		for i, err := range errs {
			if err != nil && (round == 0 || fault.KindOf(err) != fault.NotExist) {
				t.Errorf("remove %q: %v", batch[i], err)
			}
		}
		want := []string{"d/keep", "keep"}
		if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, want) {
			t.Errorf("left after a batch: %q, want %q", got, want)
		}
	}
	if errs := b.RemoveBatch(s.ctx, nil); len(errs) != 0 {
		t.Errorf("an empty batch gave %v", errs)
	}
}
