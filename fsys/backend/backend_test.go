package backend_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/retryfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same three objects are found wherever they are.
func TestMuxKnowsItsSchemes(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	m := backend.Mux(nil)
	defer m.Close()
	defer memfs.Forget(t.Name())
	names := []string{"a b/x.gz", "a b/y#%.gz", "c/z.txt"}
	for _, base := range []string{"mem://" + t.Name(), "file://" + dir} {
		for _, name := range names {
			f, path, err := m.Resolve(t.Context(), base+"/"+name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteFile(t.Context(), path, []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, base := range []string{"mem://" + t.Name(), "file://" + dir, dir, server.URL} {
		var got []string
		for match, err := range m.Glob(t.Context(), base+"/**/*.gz", nil) {
			if err != nil {
				t.Fatal(err)
			}
			f, path, err := m.Resolve(t.Context(), match.URL)
			if err != nil || f != match.FS || path != match.Entry.Path {
				t.Errorf("Resolve(%q) = %q, %v, want %q", match.URL, path, err, match.Entry.Path)
			}
			data, err := f.ReadFile(t.Context(), path)
			if err != nil {
				t.Error(err)
			}
			got = append(got, string(data))
		}
		if !slices.Equal(got, names[:2]) {
			t.Errorf("below %s: %q, want %q", base, got, names[:2])
		}
	}
}

// Stores behind a network are retried, and only those.
func TestMuxRetries(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("at last"))
	}))
	defer server.Close()
	m := backend.Mux(&backend.Options{Retry: &retryfs.Options{Base: time.Microsecond}})
	defer m.Close()
	f, path, err := m.Resolve(t.Context(), server.URL+"/x")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := f.ReadFile(t.Context(), path); err != nil || string(data) != "at last" {
		t.Errorf("read %q, %v", data, err)
	}
	if calls.Load() != 3 {
		t.Errorf("%d requests, want 3", calls.Load())
	}
}

// The optional abilities of the stores show through the layers.
func TestMuxKeepsAbilities(t *testing.T) {
	opts := &s3fs.Options{Endpoint: "http://127.0.0.1:9", AccessKey: "k", SecretKey: "s", Region: "us-east-1"}
	m := backend.Mux(&backend.Options{S3: opts})
	defer m.Close()
	for url, want := range map[string][3]bool{
		"/x": {true, false, true}, "mem://" + t.Name() + "/x": {true, true, false},
		"s3://bucket/x": {true, true, false}, "http://127.0.0.1:9/x": {false, false, false},
	} {
		f, _, err := m.Resolve(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		_, copier := f.Driver().(driver.Copier)
		_, batch := f.Driver().(driver.BatchRemover)
		_, local := f.LocalPath("x")
		if got := [3]bool{copier, batch, local}; got != want {
			t.Errorf("%s: copier, batch remover, local path = %v, want %v", url, got, want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	once := &retryfs.Options{Attempts: -1}
	opts := &s3fs.Options{Endpoint: "http://127.0.0.1:9", AccessKey: "k", SecretKey: "s", Region: "us-east-1"}
	m := backend.Mux(&backend.Options{S3: opts, Retry: once})
	defer m.Close()
	for _, url := range []string{"s3://bucket/*", "http://127.0.0.1:9/*", "s3://bucket/x", "http://127.0.0.1:9/x"} {
		for _, err := range m.Glob(t.Context(), url, nil) {
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("glob %s: %v, want Unavailable", url, err)
			}
		}
	}
}

func TestLocalName(t *testing.T) {
	m := backend.Mux(nil)
	defer m.Close()
	name := filepath.Join(t.TempDir(), "x")
	f, path, err := m.Resolve(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var e fsys.Entry
	if e, err = f.WriteFile(t.Context(), path, []byte("x")); err != nil || e.Size != 1 {
		t.Errorf("write = %+v, %v", e, err)
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "x" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}
