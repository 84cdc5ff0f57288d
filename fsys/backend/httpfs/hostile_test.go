package httpfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/httpfs"
	"github.com/leat-dev/leat/fsys/driver"
)

var fsysCreate driver.CreateOptions

const text = "0123456789abcdefghij"

// serve runs a handler until the test ends.
func serve(t *testing.T, h http.HandlerFunc) *httpfs.FS {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return open(t, srv.URL, nil)
}

// Servers that get ranges wrong: the bytes are right, or there is an error.
func TestRanges(t *testing.T) {
	servers := map[string]http.HandlerFunc{
		"ignores": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) },
		"ignores, no length": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, text[:3])
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, text[3:])
		},
		"wrong place": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				_, _ = io.WriteString(w, text)
				return
			}
			w.Header().Set("Content-Range", "bytes 1-5/20")
			w.WriteHeader(206)
			_, _ = io.WriteString(w, text[1:6])
		},
		"no Content-Range": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(206)
			}
			_, _ = io.WriteString(w, text)
		},
		"too much": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 0-19/20")
				w.WriteHeader(206)
			}
			_, _ = io.WriteString(w, text)
		},
		"length does not fit": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 3-19/20")
				w.WriteHeader(206)
			}
			_, _ = io.WriteString(w, text)
		},
	}
	good := map[string]bool{"ignores": true, "ignores, no length": true}
	for name, h := range servers {
		f := serve(t, h)
		for _, tc := range []struct {
			opts driver.OpenOptions
			want string
		}{
			{driver.OpenOptions{}, text},
			{driver.OpenOptions{Offset: 3}, text[3:]},
			{driver.OpenOptions{Offset: 3, Length: 4}, text[3:7]},
			{driver.OpenOptions{Length: 4}, text[:4]},
			{driver.OpenOptions{Offset: -4}, text[16:]},
			{driver.OpenOptions{Offset: -4, Length: 2}, text[16:18]},
			{driver.OpenOptions{Offset: 20}, ""},
			{driver.OpenOptions{Offset: 99, Length: 3}, ""},
		} {
			got, err := read(t.Context(), f, "f", tc.opts)
			if err == nil && got != tc.want {
				t.Errorf("%s: %+v: wrong bytes %q, want %q", name, tc.opts, got, tc.want)
			}
			if err != nil && fault.KindOf(err) != fault.Unavailable && fault.KindOf(err) != fault.Unsupported {
				t.Errorf("%s: %+v: %v", name, tc.opts, err)
			}
			suffix := name == "ignores, no length" && tc.opts.Offset < 0
			if good[name] && !suffix && err != nil {
				t.Errorf("%s: %+v: %v, want %q", name, tc.opts, err, tc.want)
			}
		}
	}
}

// A body that ends early is an error, never a short object.
func TestTruncation(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
		switch r.URL.Path {
		case "/length":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"+text[:7])
		case "/range":
			_, _ = io.WriteString(c, "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 5-14/20\r\n\r\n"+text[5:9])
		case "/chunked":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n"+text[:7]+"\r\n")
		case "/index/":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2000\r\n\r\n<a href=x>x</a>")
		}
	})
	for path, opts := range map[string]driver.OpenOptions{"length": {}, "range": {Offset: 5, Length: 10}, "chunked": {}} {
		got, err := read(t.Context(), f, path, opts)
		if fault.KindOf(err) != fault.Unavailable || len(got) == 0 {
			t.Errorf("%s: %q, %v; want the first bytes and Unavailable", path, got, err)
		}
	}
	if names, err := list(t.Context(), f, "index", driver.ListOptions{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("half an index page: %q, %v; want Unavailable", names, err)
	}
	if _, err := f.Stat(t.Context(), "nothing"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a connection closed without an answer: %v, want Unavailable", err)
	}
}

func TestStatuses(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err != nil {
			code = 404
		}
		w.Header().Set("Retry-After", "7")
		http.Error(w, "because of "+strconv.Itoa(code), code)
	})
	for code, kind := range map[int]fault.Kind{
		404: fault.NotExist, 410: fault.NotExist, 401: fault.Permission, 403: fault.Permission,
		429: fault.Throttled, 503: fault.Throttled, 500: fault.Unavailable, 502: fault.Unavailable, 504: fault.Unavailable,
		412: fault.Changed, 400: fault.Invalid, 418: fault.Invalid, 507: fault.NoSpace, 405: fault.Unsupported,
	} {
		path := strconv.Itoa(code)
		_, statErr := f.Stat(t.Context(), path)
		_, openErr := f.Open(t.Context(), path, driver.OpenOptions{})
		_, listErr := list(t.Context(), f, path, driver.ListOptions{})
		for op, err := range map[string]error{"stat": statErr, "open": openErr, "list": listErr} {
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != kind || e.Path != path || e.Op != op {
				t.Errorf("%s %s: %v, want kind %v", op, path, err, kind)
			} else if e.Kind == fault.Throttled && e.RetryAfter != 7*time.Second {
				t.Errorf("%s %s: RetryAfter %v, want 7s", op, path, e.RetryAfter)
			}
			if kind != fault.NotExist && errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s %s reads as absent: %v", op, path, err)
			}
		}
		if openErr != nil && !strings.Contains(openErr.Error(), "because of "+path) {
			t.Errorf("the server's words are not in %q", openErr)
		}
	}
}

func TestRedirects(t *testing.T) {
	var other atomic.Pointer[http.Header]
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		other.Store(&h)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(target.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hop := func(to string) { http.Redirect(w, r, to, http.StatusFound) }
		switch {
		case r.URL.Path == "/loop":
			hop("/loop")
		case r.URL.Path == "/ping":
			hop("/pong")
		case r.URL.Path == "/pong":
			hop("/ping")
		case r.URL.Path == "/elsewhere":
			hop(target.URL + "/x")
		case r.URL.Path == "/nowhere":
			w.WriteHeader(302)
		case r.URL.Path == "/mail":
			hop("mailto:a@b")
		case r.URL.Path == "/dir":
			hop("/dir/")
		case strings.HasPrefix(r.URL.Path, "/hops"):
			n, _ := strconv.Atoi(r.URL.Path[5:])
			if n > 0 {
				hop(fmt.Sprintf("/hops%d", n-1))
				return
			}
			_, _ = io.WriteString(w, text)
		}
	}))
	t.Cleanup(srv.Close)
	f := open(t, srv.URL, &httpfs.Options{Header: http.Header{"Authorization": {"secret"}}})
	for _, path := range []string{"loop", "ping", "nowhere", "mail", "hops11"} {
		if _, err := f.Stat(t.Context(), path); fault.KindOf(err) != fault.Invalid {
			t.Errorf("stat %s: %v, want an invalid request", path, err)
		}
		if _, err := f.Open(t.Context(), path, driver.OpenOptions{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("open %s: %v, want an invalid request", path, err)
		}
	}
	for _, path := range []string{"elsewhere", "hops10"} {
		if got, err := read(t.Context(), f, path, driver.OpenOptions{}); err != nil || got != text {
			t.Errorf("read %s = %q, %v", path, got, err)
		}
	}
	if h := other.Load(); h == nil || h.Get("Authorization") != "" {
		t.Errorf("another host was sent %v", h)
	}
	if e, err := f.Stat(t.Context(), "dir"); err != nil || e.Kind != driver.Dir {
		t.Errorf("stat dir = %+v, %v, want a directory", e, err)
	}
	if _, err := f.Open(t.Context(), "dir", driver.OpenOptions{}); fault.KindOf(err) != fault.IsDir {
		t.Errorf("open dir: %v, want IsDir", err)
	}
}

func TestHeadFallback(t *testing.T) {
	for _, code := range []int{400, 403, 405, 501} {
		f := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "HEAD" {
				w.WriteHeader(code)
				return
			}
			name, size := r.URL.Path[1:], len(text)
			if name == "empty" {
				size = 0
			}
			http.ServeContent(w, r, "x", time.Unix(1000, 0), strings.NewReader(text[:size]))
		})
		for path, size := range map[string]int64{"f": 20, "empty": 0} {
			if e, err := f.Stat(t.Context(), path); err != nil || e.Size != size || e.Kind != driver.File {
				t.Errorf("HEAD %d: stat %s = %+v, %v, want %d bytes", code, path, e, err, size)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	var tag atomic.Value
	for name, first := range map[string]string{"strong": `"one"`, "weak": `W/"one"`, "time": ""} {
		tag.Store(first)
		mod := time.Unix(1_000_000, 0)
		f := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if s := tag.Load().(string); s != "" {
				w.Header().Set("ETag", s)
			}
			when := mod
			if tag.Load() == `"two"` {
				when = when.Add(time.Hour)
			}
			// A server that does not know conditions.
			r.Header.Del("If-Match")
			http.ServeContent(w, r, "x", when, strings.NewReader(text))
		})
		e, err := f.Stat(t.Context(), "f")
		if err != nil || e.Version == "" {
			t.Fatalf("%s: %+v, %v", name, e, err)
		}
		for _, off := range []int64{0, 3, -3, 100} {
			if _, err := read(t.Context(), f, "f", driver.OpenOptions{Offset: off, Version: e.Version}); err != nil {
				t.Errorf("%s: offset %d: %v", name, off, err)
			}
		}
		tag.Store(`"two"`)
		for _, off := range []int64{0, 3, -3, 100} {
			if _, err := read(t.Context(), f, "f", driver.OpenOptions{Offset: off, Version: e.Version}); fault.KindOf(err) != fault.Changed {
				t.Errorf("%s: offset %d of a replaced object: %v, want Changed", name, off, err)
			}
		}
	}
}

// What is sent compressed although nobody asked stays compressed.
func TestContentEncodingIsLeftAlone(t *testing.T) {
	const body = "\x1f\x8bnot really gzip"
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding %q", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, body)
	})
	if got, err := read(t.Context(), f, "f.gz", driver.OpenOptions{}); err != nil || got != body {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestQueryIsSentWithEachRequest(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "key=a%2Fb" {
			w.WriteHeader(403)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<a href="x">x</a>`)
	}))
	t.Cleanup(srv.Close)
	f := open(t, srv.URL+"?key=a%2Fb", nil)
	if names, err := list(t.Context(), f, "", driver.ListOptions{}); err != nil || !slices.Equal(names, []string{"x"}) {
		t.Errorf("list %q, %v", names, err)
	}
	if _, err := f.Stat(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	f := open(t, "http://"+l.Addr().String(), nil)
	for _, path := range []string{"", "x"} {
		if _, err := f.Stat(t.Context(), path); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("stat %q: %v, want Unavailable", path, err)
		}
	}
}
