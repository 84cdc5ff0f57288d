package fsys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"unicode/utf8"

	"github.com/leat-dev/leat/fault"
)

// A Spec says how to open a file system, so that another process can open
// the same one with [Mux.OpenSpec]. It is JSON, and free of secrets:
// credentials come from the environment of the process that opens it.
type Spec struct {
	// Links are the links of the chain, the outermost first. The last is the
	// store itself.
	Links []Link
}

// A Link is one file system of a chain.
type Link struct {
	// Scheme names the back end or layer.
	Scheme string
	// Root identifies the store; only the last link has it.
	Root string
	// Path is the object or directory in the next link's file system that
	// this one is inside of; only links that open one have it.
	Path string
	// Options are those of the link; the last has none.
	Options LinkOptions
}

// Spec returns how f was opened. It is an error of kind [fault.Unsupported]
// for a file system that no [Mux] opened, and [fault.Refused] when the URL
// of the store holds a credential.
func (f *FS) Spec() (Spec, error) {
	switch {
	case len(f.links) == 0:
		return Spec{}, fault.New("spec", f.root, fault.Unsupported, errors.New("the file system was not opened by URL"))
	case f.secret:
		return Spec{}, fault.New("spec", "", fault.Refused, errors.New("the URL of the store holds a credential, which must not travel"))
	}
	s := Spec{Links: make([]Link, len(f.links))}
	for i, l := range f.links {
		l.Options = maps.Clone(l.Options)
		s.Links[i] = l
	}
	return s, nil
}

// OpenSpec opens the file system that a spec describes, or shares the one
// that is open. It may block. The result belongs to the caller: when every
// one of its kind is closed and no caller of [Mux.Resolve] has the store, the
// store is closed, and so on down the chain. [Mux.Close] closes it anyway.
func (m *Mux) OpenSpec(ctx context.Context, spec Spec) (*FS, error) {
	if err := m.checkSpec(spec); err != nil {
		return nil, err
	}
	last := len(spec.Links) - 1
	s, err := m.openBase(ctx, spec.Links[last].Scheme, spec.Links[last].Root)
	for i := last - 1; i >= 0 && err == nil; i-- {
		s, err = m.openLink(ctx, spec.Links[i], s)
	}
	if err != nil {
		return nil, fault.New("resolve", spec.Links[last].Root, fault.Unknown, err)
	}
	f := *s.fs
	f.release = sync.OnceValue(func() error { return m.release(s) })
	return &f, nil
}

// checkSpec refuses what no [FS.Spec] returns.
func (m *Mux) checkSpec(spec Spec) error {
	bad := func(format string, args ...any) error {
		return fault.New("resolve", "", fault.Invalid, fmt.Errorf("the spec is wrong: "+format, args...))
	}
	if n := len(spec.Links); n == 0 || n > maxLinks+1 {
		return bad("it has %d links", n)
	}
	for i, l := range spec.Links {
		b, ok := m.backends[l.Scheme]
		last := i == len(spec.Links)-1
		switch {
		case !ok:
			return bad("unknown scheme %q; known are %s", l.Scheme, m.known(false))
		case b.link() == last:
			return bad("%q cannot stand at place %d of %d", l.Scheme, i+1, len(spec.Links))
		case (l.Root != "") != last:
			return bad("the last link, and no other, has a root")
		case l.Path != "" && b.Over == nil:
			return bad("%q has no path", l.Scheme)
		case last && len(l.Options) > 0:
			return bad("the last link has no options")
		}
	}
	return nil
}

// specVersion is in each encoded spec. Raise it when an old reader would open
// something else.
const specVersion = 1

type wireSpec struct {
	Version int        `json:"version"`
	Links   []wireLink `json:"links"`
}

// Names are bytes: those that are not UTF-8 travel in base64.
type wireLink struct {
	Scheme    string            `json:"scheme"`
	Root      string            `json:"root,omitempty"`
	RootBytes []byte            `json:"root_bytes,omitempty"`
	Path      string            `json:"path,omitempty"`
	PathBytes []byte            `json:"path_bytes,omitempty"`
	Options   map[string]string `json:"options,omitempty"`
}

// MarshalJSON returns the spec as an object with version and links; a name
// that is not UTF-8 is in root_bytes or path_bytes, in base64.
func (s Spec) MarshalJSON() ([]byte, error) {
	w := wireSpec{Version: specVersion, Links: make([]wireLink, len(s.Links))}
	for i, l := range s.Links {
		wl := wireLink{Scheme: l.Scheme, Options: l.Options}
		wl.Root, wl.RootBytes = textOrBytes(l.Root)
		wl.Path, wl.PathBytes = textOrBytes(l.Path)
		w.Links[i] = wl
	}
	return json.Marshal(w)
}

func textOrBytes(s string) (string, []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return "", []byte(s)
}

// UnmarshalJSON reads what [Spec.MarshalJSON] wrote. A field that it does not
// know is an error: leaving it out would open something else.
func (s *Spec) UnmarshalJSON(data []byte) error {
	var w wireSpec
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return fault.New("spec", "", fault.Invalid, err)
	}
	if w.Version != specVersion {
		return fault.New("spec", "", fault.Invalid, fmt.Errorf("version %d; this program knows %d", w.Version, specVersion))
	}
	s.Links = make([]Link, len(w.Links))
	for i, l := range w.Links {
		s.Links[i] = Link{
			Scheme: l.Scheme, Options: l.Options,
			Root: l.Root + string(l.RootBytes), Path: l.Path + string(l.PathBytes),
		}
	}
	return nil
}
