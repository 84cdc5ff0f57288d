package fsys

import (
	"context"
	"errors"
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
// concurrently.
type Backend struct {
	// Split cuts a URL into the root, which identifies a store ("s3://b"),
	// and a path inside it, byte by byte. With pattern set the path is a
	// pattern. It does no I/O.
	Split func(url string, pattern bool) (root, path string, err error)
	// Join is the inverse of Split for plain names.
	Join func(root, path string) string
	// Open connects to the store that root names.
	Open func(ctx context.Context, root string) (driver.FS, error)
}

// A Mux maps URLs to file systems. It opens each store once and shares it
// between callers. It is safe for concurrent use; the zero value is not
// usable.
type Mux struct {
	backends map[string]Backend

	mu     sync.Mutex
	stores map[string]*store
	closed bool
}

// A store is one instance, open once ready is closed and err is nil.
type store struct {
	ready chan struct{}
	fs    *FS
	err   error
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
// letter, then letters, digits, "+", "-" or ".", then "://".
func Scheme(url string) string {
	scheme, _, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return ""
		}
	}
	return strings.ToLower(scheme)
}

// Resolve returns the file system that url names and the path in it. The url
// is a plain name: no byte of it is a wildcard. The first use of a store
// opens it, which may block.
func (m *Mux) Resolve(ctx context.Context, url string) (fs *FS, path string, err error) {
	return m.resolve(ctx, url, false)
}

// ResolvePattern is [Mux.Resolve] for a url whose path is a pattern. The
// part that names the store has no wildcards.
func (m *Mux) ResolvePattern(ctx context.Context, url string) (fs *FS, pattern string, err error) {
	return m.resolve(ctx, url, true)
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

// Close closes every store that was opened. Resolving fails afterwards.
func (m *Mux) Close() error {
	m.mu.Lock()
	stores := m.stores
	m.stores, m.closed = nil, true
	m.mu.Unlock()
	var errs []error
	for _, s := range stores {
		<-s.ready
		if s.err == nil {
			errs = append(errs, s.fs.drv.Close())
		}
	}
	return errors.Join(errs...)
}

func (m *Mux) resolve(ctx context.Context, url string, pattern bool) (*FS, string, error) {
	b, err := m.backend(url)
	if err != nil {
		return nil, "", err
	}
	root, path, err := b.Split(url, pattern)
	if err != nil {
		return nil, "", fault.New("resolve", url, fault.Unknown, err)
	}
	f, err := m.open(ctx, b, root)
	if err != nil {
		return nil, "", fault.New("resolve", url, fault.Unknown, err)
	}
	return f, path, nil
}

func (m *Mux) backend(url string) (Backend, error) {
	scheme := Scheme(url)
	if b, ok := m.backends[scheme]; ok {
		return b, nil
	}
	known := slices.Sorted(maps.Keys(m.backends))
	known = slices.DeleteFunc(known, func(s string) bool { return s == "" })
	if scheme == "" {
		return Backend{}, fault.New("resolve", url, fault.Invalid,
			fmt.Errorf("a URL is needed; known schemes are %s", strings.Join(known, ", ")))
	}
	return Backend{}, fault.New("resolve", url, fault.Invalid,
		fmt.Errorf("unknown scheme %q; known are %s", scheme, strings.Join(known, ", ")))
}

// open returns the store for root. Of several callers one opens it and the
// others wait; a failure is not kept, so that the next caller tries again.
func (m *Mux) open(ctx context.Context, b Backend, root string) (*FS, error) {
	for {
		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			return nil, fault.New("resolve", root, fault.Invalid, errors.New("the mux is closed"))
		}
		s, ok := m.stores[root]
		if !ok {
			s = &store{ready: make(chan struct{})}
			m.stores[root] = s
			m.mu.Unlock()
			m.connect(ctx, b, root, s)
			return s.fs, s.err
		}
		m.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, fault.New("resolve", root, fault.KindOf(ctx.Err()), context.Cause(ctx))
		}
		// The one that opened may have given up for reasons of its own.
		if s.err == nil || fault.KindOf(s.err) != fault.Canceled {
			return s.fs, s.err
		}
	}
}

// connect opens the store that s stands for and lets the waiting callers go.
func (m *Mux) connect(ctx context.Context, b Backend, root string, s *store) {
	defer close(s.ready)
	s.err = errors.New("opening panicked") // unless the next line returns
	drv, err := b.Open(ctx, root)
	if s.err = err; err == nil {
		s.fs = &FS{drv: drv, root: root, join: b.Join, shared: true}
		return
	}
	m.mu.Lock()
	if m.stores[root] == s {
		delete(m.stores, root)
	}
	m.mu.Unlock()
}
