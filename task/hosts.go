package task

import (
	"slices"
	"sync"
	"time"
)

// A Host that is listed has its coroutines in [Tree].

// A Listing tells the coroutines of a host, for [Tree].
type Listing interface {
	Host
	// Stacks yields the coroutines that are at work. It is called between
	// two turns, or on a coroutine.
	Stacks(yield func(s *Stack) bool)
	// Dump returns what the host's goroutine is doing, as a stack trace, when
	// it has not come to Stacks for a while. It is safe from any goroutine.
	Dump() string
}

var hosts struct {
	mu  sync.Mutex
	all []Listing
}

// AddHost lists h until remove is called. h answers to Post in between.
func AddHost(h Listing) (remove func()) {
	hosts.mu.Lock()
	defer hosts.mu.Unlock()
	hosts.all = append(hosts.all, h)
	return func() {
		hosts.mu.Lock()
		defer hosts.mu.Unlock()
		if i := slices.Index(hosts.all, h); i >= 0 {
			hosts.all = slices.Delete(hosts.all, i, i+1)
		}
	}
}

// Rest says that the coroutine is about to be parked, and what for; an empty
// text says that it goes on. It is cheap.
func (s *Stack) Rest(what string) {
	s.waits = what
	if what == "" {
		return
	}
	s.since = clock()
	for f := s.top; f != nil && f.g.began == 0; f = f.below {
		f.g.began = s.since
	}
	if s.rested != s.cur {
		s.rested, s.first = s.cur, s.since
	}
}

// patience is how long a host may take to answer. One that runs does so in
// microseconds; one that is held up by a callback is reported as busy.
const patience = 200 * time.Millisecond

// look has see called for each stack of h, at a moment when that is safe, and
// reports whether h came to it in time. It waits only as long as patience,
// which the caller shares among all hosts.
func look(h Listing, end <-chan time.Time, see func(s *Stack)) bool {
	all := func() {
		for s := range h.Stacks {
			see(s)
		}
	}
	if h.Stack() != nil {
		all()
		return true
	}
	done := make(chan struct{})
	var once sync.Mutex
	over := false
	h.Post(func() {
		once.Lock()
		defer once.Unlock()
		if !over {
			all()
			close(done)
		}
	})
	select {
	case <-done:
		return true
	case <-end:
	}
	once.Lock()
	defer once.Unlock()
	over = true
	select {
	case <-done:
		return true
	default:
		return false
	}
}
