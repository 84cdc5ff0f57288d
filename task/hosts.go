package task

import (
	"cmp"
	"slices"
	"strings"
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

// Info describes the innermost task on the stack, as [All] does. It reports
// false if there is none. Only for the host, between two turns.
func (s *Stack) Info() (Info, bool) {
	r := s.cur
	if r == nil {
		return Info{}, false
	}
	now := clock()
	i := Info{Name: r.name, Path: r.path(), Spawned: r.spawned(), Group: r == &r.g.self, State: Runs}
	if s.rested == r {
		i.Age = time.Duration(now - s.first)
	}
	switch {
	case s.waits != "":
		i.State, i.Waits = Waits, []WaitInfo{{For: s.waits, Since: time.Duration(now - s.since)}}
	case i.Group && r.g.waiting:
		i.State = Joins
	}
	return i, true
}

// String is for messages: path, age, what it waits for, and where it was started.
func (i Info) String() string {
	parts := []string{cmp.Or(i.Path, i.Name, "a task without a name")}
	if i.Age > 0 {
		parts = append(parts, "for "+short(i.Age))
	}
	for _, w := range i.Waits {
		parts = append(parts, "waits for "+w.For)
	}
	if i.Spawned != "" {
		parts = append(parts, "started at "+sourceLine(i.Spawned))
	}
	return strings.Join(parts, ", ")
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
