package fsys

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// A Backend is how a scheme plugs into a [Mux]. Its functions are called
// concurrently. It has Split, Join and Open, or it is a link of a chain and
// has Over or Wrap alone.
type Backend struct {
	// Split cuts a URL into the root, which identifies a store ("s3://b"),
	// and a path inside it, byte by byte. With pattern set the path is a
	// pattern. It does no I/O.
	Split func(url string, pattern bool) (root, path string, err error)
	// Join is the inverse of Split for plain names.
	Join func(root, path string) string
	// Open connects to the store that root names.
	Open func(ctx context.Context, root string) (driver.FS, error)
	// Opaque says that URLs are like "data:text", without "//" behind the
	// colon.
	Opaque bool
	// Secret reports whether root holds a credential, which no [Spec] may;
	// nil means that no root does.
	Secret func(root string) bool

	// Over opens the file system inside the object or directory at path of
	// inner: "zip://member::s3://b/x.zip". It is kept and shared like any
	// store, so it must notice by itself when the object has changed. It
	// must not close inner.
	Over func(ctx context.Context, inner *FS, path string, opts LinkOptions) (driver.FS, error)
	// Wrap opens a layer around inner with the same paths:
	// "cache::s3://b/k". It must not close inner or its driver.
	Wrap func(ctx context.Context, inner *FS, opts LinkOptions) (driver.FS, error)
}

// link reports whether b stands in front of another URL.
func (b Backend) link() bool { return b.Over != nil || b.Wrap != nil }

// A Mux maps URLs to file systems. It opens each store once and shares it
// between callers. It is safe for concurrent use; the zero value is not
// usable.
type Mux struct {
	backends map[string]Backend

	mu     sync.Mutex
	stores map[string]*store // by root
	closed bool
}

// A Match is one result of [Mux.Glob].
type Match struct {
	FS    *FS    // where it is
	Entry Entry  // what it is; Entry.Path is inside FS
	URL   string // its full name
}

// NewMux returns a Mux over the back ends, keyed by scheme in lower case;
// "" is for names without a scheme.
func NewMux(backends map[string]Backend) *Mux {
	return &Mux{backends: maps.Clone(backends), stores: map[string]*store{}}
}

// Scheme returns the scheme of url in lower case, or "" when url has none: a
// letter, then letters, digits, "+", "-" or ".", then "://". Of a chain it is
// that of the first link: "cache" of "cache,ttl=1m::s3://b/k". A name like
// "a::b", behind whose "::" there is no scheme, has none.
func Scheme(url string) string {
	first := ""
	for range maxLinks + 1 {
		n := schemeLen(url)
		if first == "" {
			first = strings.ToLower(url[:n])
		}
		if n == 0 {
			return ""
		}
		if strings.HasPrefix(url[n:], "://") {
			return first
		}
		tail := url[n:]
		if end := strings.IndexByte(tail, ':'); end > 0 && tail[0] == ',' {
			tail = tail[end:] // behind the options
		}
		if url = strings.TrimPrefix(tail, chainSep); url == tail {
			return ""
		}
	}
	return ""
}

// isScheme reports whether all of s can be a scheme.
func isScheme(s string) bool { return s != "" && schemeLen(s) == len(s) }

// schemeLen returns how many bytes at the beginning of s can be a scheme.
func schemeLen(s string) int {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || strings.IndexByte("0123456789+-.", s[i]) < 0) {
			return i
		}
	}
	return len(s)
}

// Resolve returns the file system that url names and the path in it. The url
// is a plain name: no byte of it is a wildcard. The first use of a store
// opens it, which may block.
func (m *Mux) Resolve(ctx context.Context, url string) (fs *FS, path string, err error) {
	s, path, err := m.locate(ctx, url, false)
	if err != nil {
		return nil, "", err
	}
	return m.pin(s), path, nil
}

// ResolvePattern is [Mux.Resolve] for a url whose path is a pattern. The
// part that names the store has no wildcards, and of a chain no URL behind
// the path has any: in "zip://*.csv::s3://b/[1].zip" the archive is "[1].zip".
func (m *Mux) ResolvePattern(ctx context.Context, url string) (fs *FS, pattern string, err error) {
	s, pattern, err := m.locate(ctx, url, true)
	if err != nil {
		return nil, "", err
	}
	return m.pin(s), pattern, nil
}

// Glob yields what matches the pattern, as [FS.Glob] does.
func (m *Mux) Glob(ctx context.Context, urlPattern string, opts *GlobOptions) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		f, pattern, err := m.ResolvePattern(ctx, urlPattern)
		if err != nil {
			yield(Match{}, err)
			return
		}
		for e, err := range f.Glob(ctx, pattern, opts) {
			if err != nil {
				yield(Match{}, err)
				return
			}
			if !yield(Match{FS: f, Entry: e, URL: f.URL(e.Path)}, nil) {
				return
			}
		}
	}
}

// backend returns the back end of a URL that is no chain.
func (m *Mux) backend(url string) (string, Backend, error) {
	scheme := Scheme(url)
	if name, _, ok := strings.Cut(url, ":"); ok && scheme == "" && isScheme(name) {
		if b := m.backends[strings.ToLower(name)]; b.Opaque {
			return strings.ToLower(name), b, nil
		}
	}
	if b, ok := m.backends[scheme]; ok {
		return scheme, b, nil
	}
	if scheme == "" {
		return "", Backend{}, fault.New("resolve", url, fault.Invalid,
			fmt.Errorf("a URL is needed; known schemes are %s", m.known(false)))
	}
	return "", Backend{}, fault.New("resolve", url, fault.Invalid,
		fmt.Errorf("unknown scheme %q; known are %s", scheme, m.known(false)))
}

// known lists the schemes, or those alone that begin a chain.
func (m *Mux) known(links bool) string {
	names := slices.Sorted(maps.Keys(m.backends))
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" || links && !m.backends[s].link() })
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
