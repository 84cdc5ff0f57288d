package drivertest

import (
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

func testCopy(t *testing.T, s *suite) {
	c, ok := s.FS.(driver.Copier)
	if !ok {
		return // optional
	}
	data := pattern(300_000, 1)
	s.seed(t, map[string][]byte{"src #1%2F?+é": data, "old": []byte("old"), "empty": {}, "d/x": nil})
	for _, dst := range []string{"new", "old", "a/b/c d&e"} {
		e, err := c.Copy(s.ctx, "src #1%2F?+é", dst)
		if err != nil {
			t.Errorf("copy to %q: %v", dst, err)
			continue
		}
		st, err := s.FS.Stat(s.ctx, dst)
		if err != nil || e.Path != dst || e.Size != st.Size || e.Version != st.Version {
			t.Errorf("copy = %+v, stat = %+v, %v", e, st, err)
		}
		s.wantContent(t, dst, data)
	}
	s.wantContent(t, "src #1%2F?+é", data)
	if _, err := c.Copy(s.ctx, "empty", "empty2"); err != nil {
		t.Errorf("copy of an empty object: %v", err)
	}
	s.wantContent(t, "empty2", nil)
	_, err := c.Copy(s.ctx, "absent", "x")
	wantKind(t, "copy of nothing", "absent", err, fault.NotExist)
	_, err = c.Copy(s.ctx, "d", "x")
	wantKind(t, "copy of a directory", "d", err, fault.IsDir, fault.NotExist)
	_, err = s.FS.Stat(s.ctx, "x")
	wantKind(t, "stat after a failed copy", "x", err, fault.NotExist)
	s.wantNoLeftovers(t)
}
