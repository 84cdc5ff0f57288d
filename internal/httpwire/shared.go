package httpwire

import (
	"net/http"
	"sync"
)

// A Shared is a transport that several owners use and the last one ends. It
// is safe for concurrent use; the zero value is ready.
type Shared struct {
	// Options are those of the transport.
	Options Options

	mu    sync.Mutex
	users int
	t     *http.Transport
}

// Acquire returns the transport, which is made for the first user. Each call
// is paired with one of [Shared.Release].
func (s *Shared) Acquire() *http.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		s.t = NewTransport(&s.Options)
	}
	s.users++
	return s.t
}

// Release gives the transport back. The last user's call closes the idle
// connections; those in use close when they are done.
func (s *Shared) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.t.CloseIdleConnections()
		s.t = nil
	}
}
