package backend_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend"
)

// archives makes a folder with the same file in every kind of archive.
func archives(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data := bytes.Repeat([]byte("line\n"), 1000)
	var z, tr, tgz bytes.Buffer
	zw := zip.NewWriter(&z)
	m, err := zw.Create("d/a b.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.Write(data)
	_ = zw.Close()
	tw := tar.NewWriter(&tr)
	if err := tw.WriteHeader(&tar.Header{Name: "d/a b.txt", Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	_, _ = tw.Write(data)
	_ = tw.Close()
	gw := gzip.NewWriter(&tgz)
	_, _ = gw.Write(tr.Bytes())
	_ = gw.Close()
	refs := fmt.Sprintf(`{"version":1,"templates":{"u":"blob"},"refs":{"d/a b.txt":["{{u}}",0,%d]}}`, len(data))
	for name, b := range map[string][]byte{"x.zip": z.Bytes(), "x.tar": tr.Bytes(), "x.tgz": tgz.Bytes(), "ref.json": []byte(refs), "blob": data} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What lies inside objects is found in any store, and through other links.
func TestInsideObjects(t *testing.T) {
	dir := archives(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	m := backend.Mux(nil)
	defer m.Close()
	for _, store := range []string{dir, server.URL, "ro::" + server.URL} {
		for _, what := range []string{"zip://*/*.txt::" + store + "/x.zip", "tar://**/*.txt::" + store + "/x.tar", "tar://d/*::" + store + "/x.tgz", "reference://d/*::" + store + "/ref.json"} {
			n := 0
			for match, err := range m.Glob(t.Context(), what, nil) {
				if err != nil {
					t.Errorf("%s: %v", what, err)
					break
				}
				n++
				got, err := match.FS.ReadRange(t.Context(), match.Entry.Path, 2500, 10)
				if err != nil || string(got) != "line\nline\n" {
					t.Errorf("%s holds %q, %v", match.URL, got, err)
				}
				f, path, err := m.Resolve(t.Context(), match.URL)
				if err != nil || f != match.FS || path != "d/a b.txt" {
					t.Errorf("Resolve(%q) = %q, %v", match.URL, path, err)
				}
			}
			if n != 1 {
				t.Errorf("%s: %d matches", what, n)
			}
		}
	}
	if _, _, err := m.Resolve(t.Context(), "zip::"+server.URL+"/x.tar"); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("a tar archive as a zip archive: %v", err)
	}
	f, path, err := m.Resolve(t.Context(), "data:text/plain;base64,aGVsbG8=")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.ReadFile(t.Context(), path); err != nil || string(got) != "hello" {
		t.Errorf("data: %q, %v", got, err)
	}
}

// A layer does not hide that a file is local.
func TestReferencesStayBeside(t *testing.T) {
	dir := archives(t)
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	refs := fmt.Sprintf(`{"up":["../blob"],"away":["%s/blob"],"beside":["ref.json"]}`, dir)
	if err := os.WriteFile(filepath.Join(dir, "in/ref.json"), []byte(refs), 0o644); err != nil {
		t.Fatal(err)
	}
	m := backend.Mux(nil)
	defer m.Close()
	for _, store := range []string{"::", "::ro::"} {
		for name, kind := range map[string]fault.Kind{"up": fault.Refused, "away": fault.Refused, "beside": fault.None} {
			f, path, err := m.Resolve(t.Context(), "reference://"+name+store+dir+"/in/ref.json")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ReadFile(t.Context(), path); fault.KindOf(err) != kind {
				t.Errorf("%s through %q: %v, want %v", name, store, err, kind)
			}
		}
	}
}
