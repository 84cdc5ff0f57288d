package reffs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/reffs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is the reference file of the moment; seeding writes a new one.
type opened struct{ driver.FS }

// bad also has the names that JSON cannot hold.
func bad(path string) bool { return archive.CheckName(path) != nil || !utf8.ValidString(path) }

func TestConformance(t *testing.T) {
	for _, version := range []int{0, 1} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				inner := fsys.New(memfs.New(), "mem://t")
				files, o := map[string][]byte{}, &opened{}
				seed := func(t *testing.T, more map[string][]byte) {
					maps.Copy(files, more)
					write(t, inner, version, files)
					f, err := reffs.Open(t.Context(), inner, "d/ref.json", nil)
					if err != nil {
						t.Fatal(err)
					}
					o.FS = f
				}
				seed(t, nil)
				return drivertest.Harness{FS: o, ReadOnly: true, Dirs: true, BadName: bad, Seed: seed}
			})
		})
	}
}

// write makes references of all kinds: inline, of a range, of a whole object.
func write(t *testing.T, inner *fsys.FS, version int, files map[string][]byte) {
	t.Helper()
	refs, blob := map[string]any{}, []byte("front")
	for i, path := range slices.Sorted(maps.Keys(files)) {
		data := files[path]
		switch name := fmt.Sprintf("whole %d", i); {
		case i%3 == 0 && len(data) < 1000:
			refs[path] = "base64:" + base64.StdEncoding.EncodeToString(data)
		case i%3 == 1 && i < 10:
			refs[path] = []any{name}
			put(t, inner, "d/"+name, data)
		default:
			refs[path] = []any{"/d/blob", len(blob), len(data)}
			blob = append(blob, data...)
		}
	}
	put(t, inner, "d/blob", append(blob, "end"...))
	var file any = refs
	if version == 1 {
		file = map[string]any{"version": 1, "refs": refs}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, inner, "d/ref.json", text)
}

func put(t *testing.T, fs *fsys.FS, path string, data []byte) {
	t.Helper()
	if _, err := fs.WriteFile(t.Context(), path, data); err != nil {
		t.Fatal(err)
	}
}

// all reads what a reference file stands for.
func all(t *testing.T, text string, opts *reffs.Options) (map[string]string, error) {
	t.Helper()
	inner := fsys.New(memfs.New(), "mem://t")
	put(t, inner, "blob", []byte("0123456789"))
	put(t, inner, "ref.json", []byte(text))
	f, err := reffs.Open(t.Context(), inner, "ref.json", opts)
	if err != nil {
		return nil, err
	}
	got := map[string]string{}
	for e, err := range f.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
		if err != nil {
			return nil, err
		}
		if e.Kind != driver.File {
			continue
		}
		data, err := fsys.New(f, "").ReadFile(t.Context(), e.Path)
		if err != nil {
			return nil, err
		}
		got[e.Path] = string(data)
	}
	return got, nil
}

func TestFormat(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{}`: {}, `{"version":1}`: {}, `{"version":1,"refs":{}}`: {},
		`{"a":"text","b":"base64:aGVsbG8=","c":["blob"],"d/e":["/blob",2,3],"z":{"zarr_format":2}}`:   {"a": "text", "b": "hello", "c": "0123456789", "d/e": "234", "z": `{"zarr_format":2}`},
		`{"version":1,"templates":{"u":"bl","x":"ob"},"refs":{"a":["{{u}}{{ x }}",1,2],"b":"{{u}}"}}`: {"a": "12", "b": "{{u}}"},
		`{"version":1,"templates":{"u":"blob"},"refs":{"k":"v"},"gen":[{"key":"g{{i}}/{{ j }}","url":"{{u}}","offset":"{{(i + 1) * 2 - j}}","length":"{{j}}","dimensions":{"i":{"stop":2},"j":[1,2]}}]}`: {
			"k": "v", "g0/1": "1", "g0/2": "01", "g1/1": "3", "g1/2": "23"},
		`{"version":1,"gen":[{"key":"w{{i//2}}{{i % 2}}","url":"blob","dimensions":{"i":{"start":3,"stop":9,"step":4}}}]}`: {"w11": "0123456789", "w31": "0123456789"},
		`{"version":1,"gen":[{"key":"n{{i}}","url":"blob","offset":"{{-(-i)}}","length":1,"dimensions":{"i":[9]}}]}`:       {"n9": "9"},
		`{"é":"\u00e9\ud83d\ude00\ufffd"}`: {"é": "é😀\uFFFD"},
	} {
		got, err := all(t, text, nil)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s\n gives %q, %v,\n want %q", text, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, kind := range map[string]fault.Kind{
		``: fault.Corrupt, `[]`: fault.Corrupt, `{`: fault.Corrupt, "{\"\xff\":\"a\"}": fault.Corrupt, `{"a":1}`: fault.Corrupt, `{"a":null}`: fault.Corrupt,
		`{"a":[]}`: fault.Corrupt, `{"a":["x",1]}`: fault.Corrupt, `{"a":[null]}`: fault.Corrupt, `{"a":[""]}`: fault.Corrupt, `{"":"x"}`: fault.Corrupt,
		`{"a":["blob",-1,2]}`: fault.Corrupt, `{"a":["blob",1,-2]}`: fault.Corrupt, `{"a":["blob",9223372036854775807,2]}`: fault.Corrupt, `{"a":["blob",1.5,2]}`: fault.Corrupt,
		`{"a":"base64:***"}`: fault.Corrupt, `{"a":"\ud800"}`: fault.Corrupt, `{"version":2,"refs":{}}`: fault.Unsupported,
		`{"version":1,"refs":{"a":["{{b"]}}`: fault.Corrupt, `{"version":1,"refs":{"a":["{{f(c='x')}}"]}}`: fault.Unsupported, `{"version":1,"refs":{"a":["{{ no }}"]}}`: fault.Unsupported,
		`{"version":1,"gen":[{"key":"k{{i}}","url":"blob","dimensions":{"i":{"stop":1000000000000}}}]}`:                         fault.Refused,
		`{"version":1,"gen":[{"key":"k{{i}}","url":"blob","dimensions":{"i":{"stop":100},"j":{"stop":100},"k":{"stop":100}}}]}`: fault.Refused,
		`{"version":1,"gen":[{"key":"k{{i}}","url":"blob","dimensions":{"i":{"stop":2,"step":0}}}]}`:                            fault.Corrupt,
		`{"version":1,"gen":[{"key":"k{{i}}","url":"blob","offset":1,"dimensions":{"i":{"stop":2}}}]}`:                          fault.Corrupt,
		`{"version":1,"gen":[{"key":"{{` + strings.Repeat("(", 100) + `i","url":"blob","dimensions":{"i":[1]}}]}`:               fault.Corrupt,
		`{"version":1,"gen":[{"key":"k{{` + strings.Repeat("(", 100) + `i}}","url":"blob","dimensions":{"i":[1]}}]}`:            fault.Unsupported,
		`{"a":["blob",5,6]}`: fault.Corrupt, `{"a":["blob",50,1]}`: fault.Corrupt, `{"a":["absent"]}`: fault.Corrupt, `{"a":["absent",0,0]}`: fault.Corrupt,
		`{"a":["mem://x/y"]}`: fault.Refused, `{"a":["zip://x::blob"]}`: fault.Refused, `{"a":["data:,x"]}`: fault.Refused,
	} {
		if got, err := all(t, text, &reffs.Options{MaxNames: 1000}); fault.KindOf(err) != kind {
			t.Errorf("%s\n gives %q, %v, want %v", text, got, err, kind)
		}
	}
	if _, err := all(t, `{"a":"b"}`, &reffs.Options{MaxFile: 8}); fault.KindOf(err) != fault.Refused {
		t.Errorf("too large a file: %v", err)
	}
	if _, err := all(t, `{"a":"b"}`, &reffs.Options{MaxFile: 9}); err != nil {
		t.Errorf("a file as large as allowed: %v", err)
	}
}

// A file from elsewhere does not name local files, and a local one only those
// beside it.
func TestLocalTargets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"in/x": "inside", "in/d/y": "deeper", "out": "outside"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var m *fsys.Mux
	opts := &reffs.Options{Resolve: func(ctx context.Context, url string) (*fsys.FS, string, error) { return m.Resolve(ctx, url) }}
	local := localfs.Backend(nil)
	m = fsys.NewMux(map[string]fsys.Backend{"": local, "file": local, "mem": memfs.Backend(), "reference": reffs.Backend(opts)})
	defer m.Close()
	defer memfs.Forget(t.Name())
	text, err := json.Marshal(map[string]any{
		"beside": []any{"x"}, "below": []any{"d/y"}, "absolute": []any{dir + "/in/x"}, "url": []any{"file://" + dir + "/in/x"},
		"up": []any{"../out"}, "away": []any{dir + "/out"}, "away url": []any{"file://" + dir + "/out"}, "mem": []any{"mem://" + t.Name() + "/k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{dir + "/in/ref.json", "mem://" + t.Name() + "/ref.json", "mem://" + t.Name() + "/k"} {
		f, path, err := m.Resolve(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		put(t, f, path, text)
	}
	local1, remote := "::"+dir+"/in/ref.json", "::mem://"+t.Name()+"/ref.json"
	for url, kind := range map[string]fault.Kind{
		"reference://beside" + local1: 0, "reference://below" + local1: 0, "reference://absolute" + local1: 0, "reference://url" + local1: 0, "reference://mem" + local1: 0,
		"reference://up" + local1: fault.Refused, "reference://away" + local1: fault.Refused, "reference://away url" + local1: fault.Refused,
		"reference,trusted=true://away" + local1: 0, "reference,trusted=true://url" + remote: 0,
		"reference://url" + remote: fault.Refused, "reference://away url" + remote: fault.Refused, "reference://mem" + remote: 0,
	} {
		f, path, err := m.Resolve(t.Context(), url)
		if err == nil {
			_, err = f.ReadFile(t.Context(), path)
		}
		if fault.KindOf(err) != kind {
			t.Errorf("%s: %v, want %v", url, err, kind)
		}
	}
	if _, _, err := m.Resolve(t.Context(), "reference,x=y"+local1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown option: %v", err)
	}
}

// counting counts what is asked of the store.
type counting struct {
	driver.FS
	mu    sync.Mutex
	calls int
	fail  error
}

func (c *counting) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls++; c.fail != nil && strings.HasPrefix(path, "blob") {
		return nil, c.fail
	}
	return c.FS.Open(ctx, path, opts)
}

func TestReadFilesMerges(t *testing.T) {
	store := &counting{FS: memfs.New()}
	inner := fsys.New(store, "mem://t")
	blob := make([]byte, 1<<20)
	for i := range blob {
		blob[i] = byte(i) ^ byte(i>>8)
	}
	put(t, inner, "blob1", blob)
	put(t, inner, "blob2", blob[5:])
	refs := map[string]any{"inline": "text", "far": []any{"blob1", 1_000_000, 10}, "absent": []any{"nothing", 0, 1}, "short": []any{"blob2", 1<<20 - 6, 10}}
	var paths []string
	want := map[string][]byte{"inline": []byte("text"), "far": blob[1_000_000:][:10]}
	for i := range 100 {
		name := fmt.Sprintf("c/%d", i)
		refs[name] = []any{"blob1", i * 5000, 4000}
		want[name] = blob[i*5000:][:4000]
		paths = append(paths, name)
	}
	refs["overlap"], want["overlap"] = []any{"blob1", 100, 300_000}, blob[100:300_100]
	paths = append(paths, "overlap", "inline", "far", "absent", "short", "no such name")
	slices.Reverse(paths)
	text, _ := json.Marshal(refs)
	put(t, inner, "ref.json", text)
	f, err := reffs.Open(t.Context(), inner, "ref.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	store.calls = 0
	data, errs := f.ReadFiles(t.Context(), paths)
	if store.calls != 4 { // blob1 twice, blob2, the absent one
		t.Errorf("%d requests, want 4", store.calls)
	}
	for i, path := range paths {
		kind := map[string]fault.Kind{"absent": fault.Corrupt, "short": fault.Corrupt, "no such name": fault.NotExist}[path]
		if fault.KindOf(errs[i]) != kind || !bytes.Equal(data[i], want[path]) {
			t.Errorf("%s: %d bytes, %v", path, len(data[i]), errs[i])
		}
	}
	store.fail = fault.New("", "", fault.Throttled, errors.New("slow down"))
	if _, errs := f.ReadFiles(t.Context(), []string{"c/1"}); fault.KindOf(errs[0]) != fault.Throttled {
		t.Errorf("a store that is busy: %v", errs[0])
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, errs := f.ReadFiles(ctx, []string{"c/1", "inline"}); fault.KindOf(errs[0]) != fault.Canceled || fault.KindOf(errs[1]) != fault.Canceled {
		t.Errorf("canceled: %v", errs)
	}
}

// The version of a name is that of its target too.
func TestTargetReplaced(t *testing.T) {
	inner := fsys.New(memfs.New(), "mem://t")
	put(t, inner, "blob", []byte("0123456789"))
	put(t, inner, "ref.json", []byte(`{"a":["blob",1,2]}`))
	f, err := reffs.Open(t.Context(), inner, "ref.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	put(t, inner, "blob", []byte("abcdefghij"))
	if _, err := f.Open(t.Context(), "a", driver.OpenOptions{Version: e.Version}); fault.KindOf(err) != fault.Changed {
		t.Errorf("open of the old version: %v, want Changed", err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), "a"); err != nil || string(got) != "bc" {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"a":"text","b":"base64:aGVsbG8=","c":["blob"],"d/e":["/blob",2,3]}`))
	f.Add([]byte(`{"version":1,"templates":{"u":"blob"},"gen":[{"key":"g{{i}}/{{ j }}","url":"{{u}}","offset":"{{(i + 1) * 2 - j}}","length":"{{j}}","dimensions":{"i":{"stop":2},"j":[1,2]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = all(t, string(data), &reffs.Options{MaxNames: 1000})
	})
}
