package testenv_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestFileServers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, serve := range map[string]func(testing.TB, string) string{
		"go": testenv.FileServer, "nginx": testenv.Nginx,
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, dir)
			if code, body := get(t, url+"/f"); code != 200 || body != "hello" {
				t.Errorf("GET f: %d %q", code, body)
			}
			if _, body := get(t, url+"/"); !strings.Contains(body, `href="f"`) {
				t.Errorf("no index page: %q", body)
			}
		})
	}
}

func TestS3RefusesUnsignedAndIsShared(t *testing.T) {
	a, b := testenv.S3(t), testenv.S3(t)
	if a != b {
		t.Error("two servers in one process")
	}
	bucket := a.Bucket(t)
	if code, _ := get(t, a.Endpoint+"/"+bucket+"?list-type=2"); code != 403 {
		t.Errorf("unsigned listing: status %d, want 403", code)
	}
}
