package httpfs_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/httpfs"
	"github.com/leat-dev/leat/fsys/driver"
)

// pages are index pages as servers write them.
var pages = map[string]struct {
	html string
	want []string
}{
	"nginx": {`<html><head><title>Index of /d/</title></head><body><h1>Index of /d/</h1><hr><pre><a href="../">../</a>
<a href="sub/">sub/</a>      01-Jan-2026 10:00      -
<a href="a%20b%3Fc.txt">a b?c.txt</a>   01-Jan-2026 10:00   5
<a href="very-long-name-that-is-cut-in-the-text.gz">very-long-name-that-is-cu..&gt;</a> 01-Jan-2026 10:00 5
</pre></body></html>`, []string{"d/a b?c.txt", "d/sub/", "d/very-long-name-that-is-cut-in-the-text.gz"}},
	"apache": {`<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><img src="/icons/back.gif"></td><td><a href="/">Parent Directory</a></td></tr>
<tr><td><a href="f.tar.gz"><img src="/icons/compressed.gif"></a></td><td><a href="f.tar.gz">f.tar.gz</a></td></tr>
<tr><td><a href="amp&amp;amp.txt">amp</a><td><a href="sub/">sub/</a></table>`, []string{"d/amp&amp.txt", "d/f.tar.gz", "d/sub/"}},
	"python": {`<ul><li><a href="%FF%0A">?</a></li><li><a href="link">link@</a></li><li><a href="dir/">dir/</a></li></ul>`,
		[]string{"d/dir/", "d/link", "d/\xff\n"}},
	"go":       {"<!doctype html>\n<pre>\n<a href=\"./co:lon\">co:lon</a>\n<a href=\"x%23y\">x#y</a>\n</pre>", []string{"d/co:lon", "d/x#y"}},
	"absolute": {`<A HREF="/d/one">1</A><a href='/d/two/'>2</a><a href=/d/three>3</a><a href="/d/">self</a><a href="/dx">no</a><a href="/d/deep/er">no</a>`, []string{"d/one", "d/three", "d/two/"}},
	"host":     {`<a href="//HOST/d/one">1</a><a href="http://HOST/d/two">2</a><a href="http://other/d/three">3</a><a href="https://HOST/d/four">4</a>`, []string{"d/one", "d/two"}},
	"traps": {`<a name="x">x</a><a href="">e</a><a href="#top">t</a><a href="./">s</a><a href="..">u</a><a href="../up">u</a><a href="a/b">deep</a>
<a href="a%2Fb">slash</a><a href="javascript:void(0)">js</a><a href="mailto:a@b">m</a><a href="%zz">bad</a><a href="%2e%2e">up</a><a href="%2e%2e/">up</a>
<a href="f?x=1">query</a><!-- <a href="comment">c</a> --><script>"<a href='script'>"</script><a href=" ok ">ok</a><a href="ok">again</a>`, []string{"d/ok"}},
	"empty": {`<html></html>`, nil},
}

func TestIndexPages(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Query().Get("page")]
		if r.URL.Path != "/d/" || !ok {
			w.WriteHeader(404)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, strings.ReplaceAll(page.html, "HOST", r.Host))
	})
	for name, page := range pages {
		own := open(t, httpfs.BaseOf(f)+"?page="+name, nil)
		got, err := list(t.Context(), own, "d", driver.ListOptions{})
		if err != nil || !slices.Equal(got, page.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, page.want)
		}
	}
}

func TestNotAnIndexPage(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json/":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `["a"]`)
		case "/start/":
			http.Redirect(w, r, "/start/en/", http.StatusFound)
		case "/start/en/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<a href="x">x</a>`)
		}
	})
	for _, dir := range []string{"json", "start"} {
		if got, err := list(t.Context(), f, dir, driver.ListOptions{}); fault.KindOf(err) != fault.Unsupported || len(got) > 0 {
			t.Errorf("list %s: %q, %v; want Unsupported", dir, got, err)
		}
	}
}

// A tree of pages that count how many are being read at once.
type tree struct {
	mu         sync.Mutex
	now, most  int
	total      int
	broken     string // a directory that fails
	brokenCode int
}

func (s *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.now++
	s.total++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
	if s.broken != "" && r.URL.Path == s.broken {
		w.WriteHeader(s.brokenCode)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	depth := strings.Count(r.URL.Path, "/")
	for i := range 6 {
		if depth < 4 {
			_, _ = fmt.Fprintf(w, `<a href="d%d/">d</a>`, i)
		}
		_, _ = fmt.Fprintf(w, `<a href="d%d-f">f</a>`, i)
	}
}

func TestRecursiveListing(t *testing.T) {
	s := &tree{}
	f := serve(t, s.ServeHTTP)
	names, err := list(t.Context(), f, "", driver.ListOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	pages := 1 + 6 + 36 + 216
	if want := pages*6 + pages - 1; len(names) != want || s.total != pages {
		t.Errorf("%d names from %d pages, want %d from %d", len(names), s.total, want, pages)
	}
	if !slices.IsSorted(names) {
		t.Error("not in byte order")
	}
	if s.most > 8+1 {
		t.Errorf("%d pages were read at once, want at most 9", s.most)
	}
}

func TestListingStopsReadingWhenTheLoopDoes(t *testing.T) {
	s := &tree{}
	f := serve(t, s.ServeHTTP)
	for range f.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total > 1+8 {
		t.Errorf("%d pages were read for one entry", s.total)
	}
}

// A directory that cannot be read ends the listing; one that has gone since
// its parent was read does not.
func TestListingFailures(t *testing.T) {
	for code, kind := range map[int]fault.Kind{403: fault.Permission, 500: fault.Unavailable, 404: fault.None} {
		s := &tree{broken: "/d2/d3/", brokenCode: code}
		f := serve(t, s.ServeHTTP)
		names, err := list(t.Context(), f, "", driver.ListOptions{Recursive: true})
		if fault.KindOf(err) != kind {
			t.Errorf("status %d: %v, want %v", code, err, kind)
		}
		if last := names[len(names)-1]; code != 404 && last != "d2/d3/" {
			t.Errorf("status %d: the listing ended at %q, want d2/d3/", code, last)
		}
		if code == 404 && (slices.Contains(names, "d2/d3/d0-f") || !slices.Contains(names, "d5/d5/d5/d5-f")) {
			t.Errorf("a directory that has gone: %d names", len(names))
		}
	}
	s := &tree{}
	f := serve(t, s.ServeHTTP)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	var last error
	for _, err := range f.List(ctx, "", driver.ListOptions{Recursive: true}) {
		if n++; n == 20 {
			cancel()
		}
		last = err
	}
	cancel()
	if fault.KindOf(last) != fault.Canceled {
		t.Errorf("a canceled listing ended with %v", last)
	}
}

func FuzzChild(f *testing.F) {
	for _, page := range pages {
		f.Add("/d/", page.html)
	}
	f.Add("/a%20b/", "/a%20b/c%2F")
	f.Fuzz(func(t *testing.T, base, href string) {
		u, err := url.Parse("http://h" + base)
		if err != nil || !strings.HasPrefix(u.Path, "/") {
			return
		}
		name, ok := httpfs.Child(u, href)
		if bare := strings.TrimSuffix(name, "/"); ok && (bare == "" || bare == ".." || strings.Contains(bare, "/")) {
			t.Errorf("child of %q by %q is %q", base, href, name)
		}
	})
}
