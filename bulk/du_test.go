package bulk_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// du renders usages as "path:objects:bytes:depth".
func (w *world) du(url string, depth int, f *bulk.Filter) (string, error) {
	fs, path, err := w.Resolve(w.t.Context(), url)
	if err != nil {
		w.t.Fatal(err)
	}
	path = strings.TrimSuffix(path, "/")
	var got []string
	for u, err := range bulk.Du(w.t.Context(), bulk.Ref{FS: fs, Path: path}, depth, f) {
		if err != nil {
			return strings.Join(got, " "), err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(u.Path, path), "/")
		got = append(got, fmt.Sprintf("%s:%d:%d:%d", name, u.Objects, u.Bytes, u.Depth))
	}
	return strings.Join(got, " "), nil
}

func TestDu(t *testing.T) {
	for _, dir := range []string{"mem://s/t", "mem://s", ""} {
		w := newWorld(t)
		if dir == "" {
			dir = t.TempDir()
		}
		for name, n := range map[string]int{"a": 1, "d/b": 10, "d/e/c": 100, "d/e/f": 200, "d0": 1000, "z/y/x": 10000} {
			w.write(dir+"/"+name, make([]byte, n))
		}
		for _, c := range []struct {
			depth int
			f     *bulk.Filter
			want  string
		}{
			{-1, nil, "d/e:2:300:2 d:3:310:1 z/y:1:10000:2 z:1:10000:1 :6:11311:0"},
			{1, nil, "d:3:310:1 z:1:10000:1 :6:11311:0"},
			{0, nil, ":6:11311:0"},
			{0, &bulk.Filter{Exclude: []string{"z/"}, MinSize: 10}, ":4:1310:0"},
		} {
			got, err := w.du(dir, c.depth, c.f)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, fmt.Sprint(dir, " to ", c.depth), got, c.want)
		}
		if got, err := w.du(dir+"/a", -1, nil); err != nil || got != ":1:1:0" {
			t.Errorf("an object: %q, %v", got, err)
		}
		if _, err := w.du(dir+"/q", -1, nil); fault.KindOf(err) != fault.NotExist {
			t.Errorf("what is absent: %v", err)
		}
		if _, err := w.du(dir, -1, &bulk.Filter{Include: []string{"["}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a bad pattern: %v", err)
		}
	}
}

// A total of a part is no total.
func TestDuListingError(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 10)...)
	w.faults["s"].Add(&faultfs.Rule{Op: "list", N: 5, Err: fault.New("", "", fault.Unavailable, nil)})
	if got, err := w.du("mem://s/t", -1, nil); got != "" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%q, %v", got, err)
	}
}
