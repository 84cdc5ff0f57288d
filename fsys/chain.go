package fsys

import (
	"context"
	"fmt"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// A link is what stands before a "::" in a chain.
type link struct {
	scheme string
	opts   LinkOptions
	member string // the path inside it, of a link like "zip://member"
	slash  bool   // it has "://"
}

// chainSep ends a link.
const chainSep = "::"

// cutLink cuts the first link off a URL. ok is false when the URL is no
// chain: its scheme takes the rest as it is, "::" included.
func (m *Mux) cutLink(url string) (l link, rest string, ok bool, err error) {
	n := schemeLen(url)
	l.scheme = strings.ToLower(url[:n])
	tail := url[n:]
	known := n > 0 && m.backends[l.scheme].link()
	if n > 0 && strings.HasPrefix(tail, ",") && (known || strings.Contains(tail, chainSep)) {
		end := strings.Index(tail, ":")
		if end < 0 {
			end = len(tail)
		}
		if known {
			if l.opts, err = parseLinkOptions(tail[1:end]); err != nil {
				return l, "", false, invalidChain(url, err)
			}
		}
		tail = tail[end:]
	}
	rest, ok = strings.CutPrefix(tail, chainSep)
	switch {
	case ok && known:
		return l, rest, true, nil
	case ok && n > 0 && m.startsURL(rest):
		return l, "", false, invalidChain(url, fmt.Errorf("unknown layer %q; known are %s (a local file of this name is written ./%s)",
			l.scheme, m.known(true), url))
	case !known:
		return l, "", false, nil
	}
	if tail, ok = strings.CutPrefix(tail, "://"); !ok {
		if l.opts != nil {
			return l, "", false, invalidChain(url, fmt.Errorf("%q begins a chain: write %s::URL (a local file of this name is written ./%s)", l.scheme, l.scheme, url))
		}
		return l, "", false, nil // a local name like "zip"
	}
	l.slash = true
	member, rest, ok := strings.Cut(tail, chainSep)
	if !ok {
		return l, "", false, invalidChain(url, fmt.Errorf("what %s stands in front of is missing: %s://PATH::URL", l.scheme, l.scheme))
	}
	l.member = unescapeMember(member)
	return l, rest, true, nil
}

// startsURL reports whether text is a URL or a chain rather than the rest of
// a local name.
func (m *Mux) startsURL(text string) bool {
	if Scheme(text) != "" {
		return true
	}
	n := schemeLen(text)
	return n > 0 && strings.HasPrefix(text[n:], chainSep) && m.backends[strings.ToLower(text[:n])].link()
}

func invalidChain(url string, err error) error { return fault.New("resolve", url, fault.Invalid, err) }

// maxLinks bounds the length of a chain.
const maxLinks = 16

// locate opens what url names. The caller gets a reference to the store.
func (m *Mux) locate(ctx context.Context, url string, pattern bool) (*store, string, error) {
	return m.locateLink(ctx, url, pattern, 0)
}

func (m *Mux) locateLink(ctx context.Context, url string, pattern bool, depth int) (*store, string, error) {
	l, rest, ok, err := m.cutLink(url)
	switch {
	case err != nil:
		return nil, "", err
	case !ok:
		return m.locateBase(ctx, url, pattern)
	case depth == maxLinks:
		return nil, "", invalidChain(url, fmt.Errorf("more than %d links", maxLinks))
	}
	b := m.backends[l.scheme]
	if b.Wrap != nil && l.slash {
		return nil, "", invalidChain(url, fmt.Errorf("%s has no path of its own: write %s::URL", l.scheme, l.scheme))
	}
	inner, path, err := m.locateLink(ctx, rest, pattern && b.Wrap != nil, depth+1)
	if err != nil {
		return nil, "", err
	}
	if b.Wrap != nil {
		s, err := m.openLink(ctx, Link{Scheme: l.scheme, Options: l.opts}, inner)
		return s, path, err
	}
	s, err := m.openLink(ctx, Link{Scheme: l.scheme, Options: l.opts, Path: path}, inner)
	return s, l.member, err
}

// locateBase opens what a URL without links names.
func (m *Mux) locateBase(ctx context.Context, url string, pattern bool) (*store, string, error) {
	scheme, b, err := m.backend(url)
	if err != nil {
		return nil, "", err
	}
	root, path, err := b.Split(url, pattern)
	if err != nil {
		return nil, "", fault.New("resolve", url, fault.Unknown, err)
	}
	s, err := m.openBase(ctx, scheme, root)
	if err != nil {
		return nil, "", fault.New("resolve", url, fault.Unknown, err)
	}
	return s, path, nil
}

// openBase opens the store that root names.
func (m *Mux) openBase(ctx context.Context, scheme, root string) (*store, error) {
	b := m.backends[scheme]
	return m.open(ctx, root, nil, func() (*FS, error) {
		drv, err := b.Open(ctx, root)
		if err != nil {
			return nil, err
		}
		links := []Link{{Scheme: scheme, Root: root}}
		return &FS{drv: drv, root: root, join: b.Join, shared: true, links: links, secret: b.Secret != nil && b.Secret(root)}, nil
	})
}

// openLink opens a link over inner, whose reference it takes.
func (m *Mux) openLink(ctx context.Context, l Link, inner *store) (*store, error) {
	b := m.backends[l.Scheme]
	head, base := l.Scheme+l.Options.String(), inner.fs
	root := head + chainSep + base.root
	join := func(_, path string) string { return head + chainSep + base.URL(path) }
	if b.Over != nil {
		behind := chainSep + base.URL(l.Path)
		root = head + "://" + behind
		join = func(_, path string) string { return head + "://" + escapeMember(path) + behind }
	}
	return m.open(ctx, root, inner, func() (*FS, error) {
		f := &FS{root: root, join: join, shared: true, links: append([]Link{l}, base.links...), secret: base.secret}
		var err error
		if b.Over != nil {
			f.drv, err = b.Over(ctx, base, l.Path, l.Options)
		} else {
			f.drv, err = b.Wrap(ctx, base, l.Options)
		}
		if err != nil {
			return nil, fault.New("resolve", root, fault.Unknown, err)
		}
		return f, nil
	})
}

// In the path of a link "::" would end it, so the second colon is written
// "%3A", and a "%" that would read as an escape "%25". No other byte is
// changed.

func escapeMember(path string) string {
	if !strings.ContainsAny(path, ":%") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		colon := c == ':' && (i > 0 && path[i-1] == ':' || i == len(path)-1)
		switch {
		case colon:
			b.WriteString("%3A")
		case c == '%' && isEscape(path[i:]):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapeMember(member string) string {
	if !strings.Contains(member, "%") {
		return member
	}
	var b strings.Builder
	for i := 0; i < len(member); i++ {
		if !isEscape(member[i:]) {
			b.WriteByte(member[i])
			continue
		}
		b.WriteByte(map[byte]byte{'3': ':', '2': '%'}[member[i+1]])
		i += 2
	}
	return b.String()
}

// isEscape reports whether s begins with "%3A" or "%25".
func isEscape(s string) bool {
	return len(s) > 2 && (strings.EqualFold(s[:3], "%3a") || s[:3] == "%25")
}
