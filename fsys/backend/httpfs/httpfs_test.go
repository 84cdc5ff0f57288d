package httpfs_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leat-dev/leat/fsys/backend/httpfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func open(t *testing.T, url string, opts *httpfs.Options) *httpfs.FS {
	t.Helper()
	f, err := httpfs.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// folder returns a folder that a server without privileges can read.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, dir, path string, data []byte) {
	t.Helper()
	name := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(ctx context.Context, f *httpfs.FS, path string, opts driver.OpenOptions) (string, error) {
	r, err := f.Open(ctx, path, opts)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	return string(b), err
}

func list(ctx context.Context, f *httpfs.FS, dir string, opts driver.ListOptions) ([]string, error) {
	var all []string
	for e, err := range f.List(ctx, dir, opts) {
		if err != nil {
			return all, err
		}
		name := e.Path
		if e.Kind == driver.Dir {
			name += "/"
		}
		all = append(all, name)
	}
	return all, nil
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(testing.TB, string) string
		bad   func(string) bool
	}{
		"nginx": {testenv.Nginx, badNginx},
		"go":    {testenv.FileServer, badGo},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				dir := folder(t)
				return drivertest.Harness{
					FS: open(t, c.serve(t, dir), nil), ReadOnly: true, Dirs: true, BadName: c.bad,
					Seed: func(t *testing.T, files map[string][]byte) {
						for path, data := range files {
							put(t, dir, path, data)
						}
					},
				}
			})
		})
	}
}

// badFile reports names that files cannot have.
func badFile(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return false
}

// badNginx: its index pages leave out names that begin with a dot, and it
// takes a folder index.html for the index page.
func badNginx(path string) bool {
	return badFile(path) || strings.HasPrefix(path, ".") || strings.HasPrefix(path, "index.html")
}

// badGo: it takes index.html for the folder it is in, and serves no name that
// is not UTF-8.
func badGo(path string) bool {
	return badFile(path) || strings.HasPrefix(path, "index.html") || !utf8.ValidString(path)
}
