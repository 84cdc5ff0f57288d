package drivertest

import (
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testStat(t *testing.T, s *suite) {
	s.seed(t, map[string][]byte{"f": []byte("hello"), "empty": {}, "d/x": []byte("x"), "d/e/y": []byte("y")})

	for path, size := range map[string]int64{"f": 5, "empty": 0, "d/x": 1} {
		e, err := s.FS.Stat(s.ctx, path)
		if err != nil {
			t.Errorf("stat %q: %v", path, err)
			continue
		}
		if e.Path != path || e.Kind != driver.File || e.Size != size {
			t.Errorf("stat %q = %+v, want a file of %d bytes", path, e, size)
		}
		if (e.Version == "") != s.NoVersion {
			t.Errorf("stat %q has version %q", path, e.Version)
		}
	}
	for _, path := range []string{"", "d", "d/e"} {
		e, err := s.FS.Stat(s.ctx, path)
		if err != nil || e.Kind != driver.Dir || e.Path != path {
			t.Errorf("stat %q = %+v, %v, want a directory", path, e, err)
		}
	}
	// A prefix of a name is not a name, and what lies below an object is
	// absent.
	for _, path := range []string{"absent", "ff", "d/absent", "d/e/y/z", "em", "absent/x"} {
		_, err := s.FS.Stat(s.ctx, path)
		wantKind(t, "stat "+path, path, err, fault.NotExist)
	}
	if s.ReadOnly || s.NoVersion {
		return
	}
	old, _ := s.FS.Stat(s.ctx, "f")
	s.write(t, "f", []byte("world"))
	if e, err := s.FS.Stat(s.ctx, "f"); err != nil || e.Version == old.Version {
		t.Errorf("stat of a replaced object = %+v, %v: the version did not change", e, err)
	}
}
