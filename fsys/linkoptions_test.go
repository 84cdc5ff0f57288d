package fsys_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

func TestLinkOptions(t *testing.T) {
	var s string
	var b bool
	var n int
	var d time.Duration
	var size, kept int64 = 0, 7
	into := map[string]any{"s": &s, "b": &b, "n": &n, "d": &d, "size": &size, "kept": &kept}
	err := fsys.LinkOptions{"s": "x,y", "b": "true", "n": "12", "d": "90s", "size": "1.5MiB"}.Read(into)
	if err != nil || s != "x,y" || !b || n != 12 || d != 90*time.Second || size != 3<<19 || kept != 7 {
		t.Errorf("read %q %v %d %v %d %d, %v", s, b, n, d, size, kept, err)
	}
	for text, want := range map[string]int64{"0": 0, "7": 7, "7B": 7, "2KiB": 2048, "2kB": 2000, "2KB": 2000, "3GiB": 3 << 30, "1TB": 1e12} {
		if err := (fsys.LinkOptions{"size": text}).Read(into); err != nil || size != want {
			t.Errorf("size %q = %d, %v, want %d", text, size, err, want)
		}
	}
	for _, bad := range []fsys.LinkOptions{
		{"b": "2"}, {"n": "x"}, {"n": "-1"}, {"d": "90"}, {"d": "-1s"}, {"size": "1Mi"}, {"size": "-1"}, {"size": ""}, {"size": "MiB"},
		{"size": "1e3"}, {"size": "9999999999GiB"}, {"nope": "1"},
	} {
		if err := bad.Read(into); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v, want Invalid", bad, err)
		}
	}
	if err := (fsys.LinkOptions{"nope": ""}).Read(into); !strings.Contains(err.Error(), "known are b, d, kept, n, s, size") {
		t.Errorf("%v does not say what is known", err)
	}
}
