package backend_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/tracefs"
)

// chainMux returns a mux whose cache has a directory of its own, and the URL
// of a fresh memory store with "d/a.txt", "d/b.txt" and "x.zip", which has
// "in.zip", which has "c.txt".
func chainMux(t *testing.T, opts backend.Options) (*fsys.Mux, string) {
	t.Helper()
	if opts.Cache == nil {
		opts.Cache = &cachefs.Options{Dir: t.TempDir()}
	}
	m := backend.Mux(&opts)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		memfs.Forget(t.Name())
	})
	root := "mem://" + t.Name()
	if strings.Contains(t.Name(), "/") {
		t.Fatal("the name of the store would have a slash")
	}
	inner := archive(t, "c.txt", []byte("deep"))
	for path, data := range map[string][]byte{
		"d/a.txt": []byte("a"), "d/b.txt": []byte("b"), "x.zip": archive(t, "in.zip", inner),
	} {
		f, p, err := m.Resolve(t.Context(), root+"/"+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteFile(t.Context(), p, data); err != nil {
			t.Fatal(err)
		}
	}
	return m, root
}

func archive(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, m *fsys.Mux, url string) (string, error) {
	t.Helper()
	f, path, err := m.Resolve(t.Context(), url)
	if err != nil {
		return "", err
	}
	data, err := f.ReadFile(t.Context(), path)
	return string(data), err
}

func TestChains(t *testing.T) {
	m, root := chainMux(t, backend.Options{})
	other, _ := chainMux(t, backend.Options{}) // as another process
	for url, want := range map[string]string{
		"cache::" + root + "/d/a.txt": "a",
		"cache,revalidate=never,ttl=1m,memory=1MiB,disk=0,block=4KiB::" + root + "/d/a.txt": "a",
		"cache,whole=1GiB,disk=1GiB,age=1h,revalidate=5m::" + root + "/d/b.txt":             "b",
		"ro::" + root + "/d/b.txt":                                                          "b",
		"prefix://a.txt::" + root + "/d":                                                    "a",
		"prefix://a.txt::" + root + "/d/":                                                   "a",
		"prefix://d/a.txt::" + root:                                                         "a",
		"limit,requests=1,rate=1GiB,bytes=64KiB::" + root + "/d/a.txt":                      "a",
		"zip://c.txt::zip://in.zip::" + root + "/x.zip":                                     "deep",
		"cache::zip://c.txt::cache::zip://in.zip::limit,requests=2::ro::" + root + "/x.zip": "deep",
		"zip://c.txt::zip://in.zip::prefix://x.zip::" + root:                                "deep",
	} {
		for range 2 { // the second time from the cache
			if got, err := read(t, m, url); err != nil || got != want {
				t.Errorf("%s holds %q, %v, want %q", url, got, err, want)
			}
		}
		f, path, err := m.Resolve(t.Context(), url)
		if err != nil {
			continue
		}
		spec, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var sent fsys.Spec
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatal(err)
		}
		g, err := other.OpenSpec(t.Context(), sent)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := g.ReadFile(t.Context(), path); err != nil || string(got) != want || g.URL(path) != f.URL(path) {
			t.Errorf("%s holds %q, %v, want %q", text, got, err, want)
		}
		g.Close()
	}
}

func TestChainsRefuse(t *testing.T) {
	m, root := chainMux(t, backend.Options{})
	for url, says := range map[string]string{
		"cache,dir=/etc::" + root + "/x":        `unknown option "dir"; known are age, block`,
		"cache,block=1::" + root + "/x":         "blocks of 1 bytes",
		"cache,revalidate=soon::" + root + "/x": `want a time like`,
		"ro,x=1::" + root + "/x":                "known are none",
		"limit,rate=fast::" + root + "/x":       "want a size",
		"prefix://x::" + root + "/d//":          "without",
		"prefix,dots=true://x::" + root + "/d":  "unknown option",
		"chache::" + root + "/x":                "unknown layer",
		"s3://bucket::" + root:                  "",
	} {
		_, err := read(t, m, url)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", url, err, says)
		}
	}
	f, path, err := m.Resolve(t.Context(), "ro::"+root+"/new")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteFile(t.Context(), path, nil); fault.KindOf(err) != fault.Refused {
		t.Errorf("writing through ro: %v", err)
	}
	if _, err := read(t, m, "prefix://../d/a.txt::"+root+"/d"); fault.KindOf(err) != fault.NotExist {
		t.Errorf("a name with dots in a store that takes them: %v", err)
	}
}

// A cache in a chain belongs to the chain: closing it leaves the store open.
func TestClosingAChainLeavesTheStore(t *testing.T) {
	m, root := chainMux(t, backend.Options{})
	for _, head := range []string{"cache", "ro", "limit"} {
		f, err := m.OpenSpec(t.Context(), fsys.Spec{Links: []fsys.Link{{Scheme: head}, {Scheme: "mem", Root: root}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if got, err := read(t, m, root+"/d/a.txt"); err != nil || got != "a" {
			t.Errorf("after closing %s: %q, %v", head, got, err)
		}
	}
}

// Layers keep the abilities of the store, but for those that change it.
func TestChainsKeepAbilities(t *testing.T) {
	m, root := chainMux(t, backend.Options{})
	for head, want := range map[string]bool{"cache": true, "limit": true, "ro": false} {
		f, _, err := m.Resolve(t.Context(), head+"::"+root)
		if err != nil {
			t.Fatal(err)
		}
		_, copier := f.Driver().(driver.Copier)
		_, batch := f.Driver().(driver.BatchRemover)
		if copier != want || batch != want {
			t.Errorf("%s: copier %v, batch remover %v, want %v", head, copier, batch, want)
		}
	}
}

func TestTrace(t *testing.T) {
	var metrics tracefs.Metrics
	var events atomic.Int64
	m, root := chainMux(t, backend.Options{Trace: &tracefs.Options{Metrics: &metrics, OnEvent: func(tracefs.Event) { events.Add(1) }}})
	for range 10 {
		if _, err := read(t, m, "cache,revalidate=never::"+root+"/d/a.txt"); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range metrics.Snapshot() {
		if want := map[string]int64{"stat": 1, "open": 1, "create": 3}[s.Op]; want > 0 && s.Calls != want {
			t.Errorf("%d times %s, want %d", s.Calls, s.Op, want)
		}
	}
	if events.Load() == 0 {
		t.Error("no events")
	}
	var text strings.Builder
	if err := metrics.WritePrometheus(&text, ""); err != nil || !strings.Contains(text.String(), `leat_fs_bytes_total{op="read"} 1`) {
		t.Error(err, text.String())
	}
}

// Without options the cache is where the environment says.
func TestCacheDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LEAT_CACHE_DIR", dir)
	m := backend.Mux(nil)
	defer m.Close()
	defer memfs.Forget(t.Name())
	f, _, err := m.Resolve(t.Context(), "cache::mem://"+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteFile(t.Context(), "x", make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFile(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	n := 0
	local, path, err := m.Resolve(t.Context(), dir+"/data")
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range local.List(t.Context(), path, &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == fsys.File {
			n++
		}
	}
	if n != 1 {
		t.Error(fmt.Sprint(n, " files in the cache, want 1"))
	}
}
