package fsys

import (
	"context"
	"errors"
	"slices"

	"github.com/leat-dev/leat/fault"
)

// A store is one instance, open once ready is closed and err is nil. The mux's
// lock guards refs and pinned.
type store struct {
	root  string
	ready chan struct{}
	fs    *FS
	err   error
	inner *store // of a chain: what it stands on, which it holds a reference to
	depth int    // how many stores it stands on

	refs   int  // callers, handles and stores that use it
	pinned bool // a caller of Resolve has it for as long as the mux lives
}

// pin keeps s until the mux is closed and gives the reference back.
func (m *Mux) pin(s *store) *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.pinned = true
	s.refs--
	return s.fs
}

// release gives a reference back. The last one closes the store, unless it is
// pinned; then what it stands on is released.
func (m *Mux) release(s *store) error {
	var errs []error
	for s != nil {
		m.mu.Lock()
		s.refs--
		if s.refs > 0 || s.pinned || m.stores[s.root] != s {
			m.mu.Unlock()
			break
		}
		delete(m.stores, s.root)
		m.mu.Unlock()
		errs = append(errs, s.fs.drv.Close())
		s = s.inner
	}
	return errors.Join(errs...)
}

// open returns the store for root with a reference for the caller. Of several
// callers one connects and the others wait; a failure is not kept, so that
// the next caller tries again. The reference to inner passes to the store, or
// is given back.
func (m *Mux) open(ctx context.Context, root string, inner *store, connect func() (*FS, error)) (*store, error) {
	for {
		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			return nil, fault.New("resolve", root, fault.Invalid, errors.New("the mux is closed"))
		}
		s, ok := m.stores[root]
		if !ok {
			s = &store{root: root, ready: make(chan struct{}), inner: inner, refs: 1}
			if inner != nil {
				s.depth = inner.depth + 1
			}
			m.stores[root] = s
			m.mu.Unlock()
			m.connect(s, connect)
			return s, s.err
		}
		s.refs++
		m.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			_, _ = m.release(s), m.release(inner)
			return nil, fault.New("resolve", root, fault.KindOf(ctx.Err()), context.Cause(ctx))
		}
		// The one that opened may have given up for reasons of its own.
		if s.err == nil || fault.KindOf(s.err) != fault.Canceled {
			_ = m.release(inner) // s holds one of its own
			return s, s.err
		}
	}
}

// connect opens the store that s stands for and lets the waiting callers go.
func (m *Mux) connect(s *store, connect func() (*FS, error)) {
	defer close(s.ready)
	s.err = errors.New("opening panicked") // unless the next line returns
	fs, err := connect()
	if s.err = err; err == nil {
		s.fs = fs
		return
	}
	m.mu.Lock()
	if m.stores[s.root] == s {
		delete(m.stores, s.root)
	}
	m.mu.Unlock()
	_ = m.release(s.inner)
}

// Close closes every store that was opened, of a chain the outer one first.
// Resolving fails afterwards. Using a file system of the mux after Close is
// an error; closing one is not.
func (m *Mux) Close() error {
	m.mu.Lock()
	var stores []*store
	for _, s := range m.stores {
		stores = append(stores, s)
	}
	m.stores, m.closed = nil, true
	m.mu.Unlock()
	slices.SortFunc(stores, func(a, b *store) int { return b.depth - a.depth })
	var errs []error
	for _, s := range stores {
		<-s.ready
		if s.err == nil {
			errs = append(errs, s.fs.drv.Close())
		}
	}
	return errors.Join(errs...)
}
