package webdavfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/webdav"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/webdavfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// serveGo serves dir with the server of golang.org/x/net.
func serveGo(t testing.TB, dir string) string {
	t.Helper()
	s := httptest.NewUnstartedServer(&webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, url string, opts *webdavfs.Options) *webdavfs.FS {
	t.Helper()
	f, err := webdavfs.Open(t.Context(), "webdav"+strings.TrimPrefix(url, "http"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func bad(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return false
}

func TestConformance(t *testing.T) {
	for name, serve := range map[string]func(testing.TB, string) string{"go": serveGo, "nginx": testenv.NginxDAV} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				dir := t.TempDir()
				h := drivertest.Harness{
					FS: open(t, serve(t, dir), nil), Dirs: true, BadName: bad,
					Leftovers: func(t *testing.T) []string { return temps(t, dir) },
				}
				if name == "nginx" {
					h.FS, h.BadName = &ticking{FS: h.FS, dir: dir}, badNginx
				}
				return h
			})
		})
	}
}

// badNginx: it lists no name that begins with a dot.
func badNginx(path string) bool {
	return bad(path) || strings.HasPrefix(path, ".") || strings.Contains(path, "/.")
}

// ticking makes up for nginx: its ETags are made of the size and a time in
// whole seconds, so each object is written in a second of its own. And it
// refuses the names that are not listed.
type ticking struct {
	driver.FS
	dir string
	now atomic.Int64
}

func (f *ticking) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if path != "" && badNginx(path) {
		return nil, fault.New("create", path, fault.Invalid, nil)
	}
	w, err := f.FS.Create(ctx, path, opts)
	return &tickingWriter{w, f}, err
}

type tickingWriter struct {
	driver.Writer
	f *ticking
}

func (w *tickingWriter) Commit(ctx context.Context) (driver.Entry, error) {
	e, err := w.Writer.Commit(ctx)
	if err != nil {
		return e, err
	}
	at := time.Unix(1_700_000_000+w.f.now.Add(1), 0)
	if err := os.Chtimes(filepath.Join(w.f.dir, e.Path), at, at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return e, err
	}
	if st, err := w.f.FS.Stat(ctx, e.Path); err == nil {
		return st, nil
	}
	return e, nil
}

// temps returns the temporary files below dir.
func temps(t *testing.T, dir string) []string {
	t.Helper()
	var left []string
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(name), ".leat-tmp-") {
			left = append(left, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// What a tree would be lost to in WebDAV's own terms.
func TestTreesAreSafe(t *testing.T) {
	for name, serve := range map[string]func(testing.TB, string) string{"go": serveGo, "nginx": testenv.NginxDAV} {
		dir := t.TempDir()
		f := fsys.New(open(t, serve(t, dir), nil), "webdav://t")
		if _, err := f.WriteFile(t.Context(), "d/e/x", []byte("x")); err != nil {
			t.Fatal(name, err)
		}
		if err := f.Remove(t.Context(), "d"); fault.KindOf(err) != fault.Exist {
			t.Errorf("%s: remove of a tree: %v, want Exist", name, err)
		}
		if _, err := f.WriteFile(t.Context(), "d", []byte("y")); fault.KindOf(err) != fault.IsDir {
			t.Errorf("%s: write over a tree: %v, want IsDir", name, err)
		}
		if _, err := f.WriteFile(t.Context(), "y", nil); err != nil {
			t.Fatal(name, err)
		}
		if _, err := f.Copy(t.Context(), "y", "d"); fault.KindOf(err) != fault.IsDir {
			t.Errorf("%s: copy over a tree: %v, want IsDir", name, err)
		}
		if _, err := f.Copy(t.Context(), "d", "z"); fault.KindOf(err) != fault.IsDir {
			t.Errorf("%s: copy of a tree: %v, want IsDir", name, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "d/e/x")); err != nil || string(got) != "x" {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
		if left := temps(t, dir); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

// Credentials go to the server and show nowhere.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	h := &webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "me" || pass != "hidden" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	good, wrong := open(t, s.URL, &webdavfs.Options{User: "me", Password: "hidden"}), open(t, s.URL, &webdavfs.Options{User: "me", Password: "hiddeN"})
	if _, err := fsys.New(good, "").WriteFile(t.Context(), "x", []byte("x")); err != nil {
		t.Error(err)
	}
	for _, err := range []error{errOf(wrong.Stat(t.Context(), "x")), errOf(wrong.Open(t.Context(), "x", driver.OpenOptions{}))} {
		if fault.KindOf(err) != fault.Permission || strings.Contains(fmt.Sprint(err), "idde") {
			t.Errorf("with a wrong password: %v", err)
		}
	}
	if _, _, err := webdavfs.Split("webdav://me:hidden@h/x", false); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a password in a URL: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }

// Answers that are no good are errors, never an absent or an empty thing.
func TestBadAnswers(t *testing.T) {
	const open1, close1 = `<D:multistatus xmlns:D="DAV:">`, `</D:multistatus>`
	item := func(href, prop string) string {
		return `<D:response><D:href>` + href + `</D:href><D:propstat><D:prop>` + prop + `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
	}
	const coll = `<D:resourcetype><D:collection/></D:resourcetype>`
	for name, c := range map[string]struct {
		status int
		body   string
		kind   fault.Kind
	}{
		"good":         {207, open1 + item("/d/", coll) + item("/d/x%20y", "") + close1, fault.None},
		"full URLs":    {207, open1 + item("http://h/d/", coll) + item("http://h/d/x%20y", "") + close1, fault.None},
		"cut":          {207, open1 + item("/d/", coll), fault.Unavailable},
		"not itself":   {207, open1 + item("/d/x", "") + close1, fault.Unavailable},
		"elsewhere":    {207, open1 + item("/d/", coll) + item("/etc/passwd", "") + close1, fault.Unavailable},
		"too deep":     {207, open1 + item("/d/", coll) + item("/d/a/b", "") + close1, fault.Unavailable},
		"upwards":      {207, open1 + item("/d/", coll) + item("/d/%2e%2e/b", "") + close1, fault.Unavailable},
		"not XML":      {207, "hello", fault.Unavailable},
		"HTML":         {207, "<html></html>", fault.Unavailable},
		"empty":        {207, "", fault.Unavailable},
		"plain 200":    {200, open1 + close1, fault.Unavailable},
		"bad escape":   {207, open1 + item("/d/", coll) + item("/d/%zz", "") + close1, fault.Unavailable},
		"an object":    {207, open1 + item("/d", "<D:getcontentlength>5</D:getcontentlength>") + close1, fault.NotExist},
		"absent":       {404, "", fault.NotExist},
		"forbidden":    {403, "", fault.Permission},
		"busy":         {503, "", fault.Throttled},
		"server error": {500, "", fault.Unavailable},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		f := open(t, s.URL, nil)
		n := 0
		var err error
		for e, lerr := range f.List(t.Context(), "d", driver.ListOptions{}) {
			if err = lerr; lerr == nil {
				if n++; e.Path != "d/x y" {
					t.Errorf("%s: listed %q", name, e.Path)
				}
			}
		}
		if fault.KindOf(err) != c.kind || (n == 1) != (c.kind == fault.None) {
			t.Errorf("%s: %d entries, %v, want %v", name, n, err, c.kind)
		}
		s.Close()
	}
}
