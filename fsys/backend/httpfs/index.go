package httpfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

// index returns the children that the index page of dir links to, sorted.
func (f *FS) index(ctx context.Context, dir string) ([]driver.Entry, error) {
	path := dir
	if dir != "" {
		path += "/"
	}
	a, err := f.get(ctx, "list", "GET", path, nil)
	if err != nil {
		return nil, fault.New("list", dir, fault.Unknown, err)
	}
	defer func() { _ = a.Body.Close() }()
	switch {
	case a.StatusCode != http.StatusOK:
		return nil, f.refused("list", dir, a)
	case !strings.HasSuffix(a.url.Path, "/"):
		// Redirected to the path without the slash: it is an object.
		return nil, f.fail("list", dir, fault.NotExist, errors.New("not a directory"))
	case a.url.Path != "/"+path && a.url.Host == f.base.Host && strings.HasPrefix(a.url.Path, "/"+path):
		// What that page links to are not children of dir.
		return nil, f.fail("list", dir, fault.Unsupported, errors.New("the server has no index page there, it redirects to "+a.url.Path))
	case !isHTML(a.Header.Get("Content-Type")):
		err := fmt.Errorf("the server has no index page there, but a %q document; index pages must be switched on to list a directory", a.Header.Get("Content-Type"))
		return nil, f.fail("list", dir, fault.Unsupported, err)
	}
	links := links{base: a.url, seen: map[string]bool{}}
	z := html.NewTokenizer(a.Body)
	z.SetMaxBuf(1 << 20)
	for z.Next() != html.ErrorToken {
		if t := z.Token(); t.DataAtom == atom.A && (t.Type == html.StartTagToken || t.Type == html.SelfClosingTagToken) {
			links.add(t)
		}
	}
	if err := z.Err(); err != io.EOF {
		return nil, f.fail("list", dir, httpwire.KindOf(ctx, err), err)
	}
	return links.entries(path), nil
}

func isHTML(contentType string) bool {
	t, _, _ := mime.ParseMediaType(contentType)
	return t == "text/html" || t == "application/xhtml+xml"
}

// links collects the links of an index page that lead to direct children.
type links struct {
	base  *url.URL
	names []string // with a slash at the end for directories
	seen  map[string]bool
}

func (l *links) add(t html.Token) {
	for _, attr := range t.Attr {
		if attr.Key != "href" {
			continue
		}
		if name, ok := child(l.base, attr.Val); ok && !l.seen[name] {
			l.seen[name] = true
			l.names = append(l.names, name)
		}
		return
	}
}

// entries returns the entries for the links, in byte order.
func (l *links) entries(prefix string) []driver.Entry {
	slices.Sort(l.names)
	all := make([]driver.Entry, 0, len(l.names))
	for _, name := range l.names {
		kind := driver.File
		name, isDir := strings.CutSuffix(name, "/")
		if isDir {
			kind = driver.Dir
		}
		all = append(all, driver.Entry{Path: prefix + name, Kind: kind, Size: -1})
	}
	return all
}

// child returns the name of the direct child of base that href leads to,
// with a slash at the end for a directory. Links that sort the page, lead up,
// to the page itself or elsewhere are none.
func child(base *url.URL, href string) (string, bool) {
	href = strings.TrimSpace(href)
	if strings.ContainsAny(href, "?#") {
		return "", false
	}
	parent := base.EscapedPath()
	parent = parent[:strings.LastIndexByte(parent, '/')+1]
	if scheme, rest, ok := strings.Cut(href, ":"); ok && !strings.Contains(scheme, "/") {
		if !strings.EqualFold(scheme, base.Scheme) || !strings.HasPrefix(rest, "//") {
			return "", false
		}
		href = rest
	}
	if rest, ok := strings.CutPrefix(href, "//"); ok {
		host, path, _ := strings.Cut(rest, "/")
		if !strings.EqualFold(host, base.Host) {
			return "", false
		}
		href = "/" + path
	}
	name, err := decode(strings.TrimPrefix(href, "./"), false)
	if err != nil {
		return "", false
	}
	if strings.HasPrefix(href, "/") {
		above, err := decode(parent, false)
		if err != nil || !strings.HasPrefix(name, above) {
			return "", false
		}
		name = name[len(above):]
	}
	bare := strings.TrimSuffix(name, "/")
	if bare == "" || bare == "." || bare == ".." || strings.Contains(bare, "/") {
		return "", false
	}
	return name, true
}
