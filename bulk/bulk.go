package bulk

import (
	"fmt"
	"strings"

	"github.com/leat-dev/leat/fsys"
)

// A Ref names an object or directory: a path inside a file system.
type Ref struct {
	FS   *fsys.FS
	Path string
}

// URL returns the name of r with its scheme.
func (r Ref) URL() string {
	if r.FS == nil {
		return ""
	}
	return r.FS.URL(r.Path)
}

// same reports whether r and o are one place. Two file systems are one when
// their driver is: a mux hands out one driver per store.
func (r Ref) same(o Ref) bool { return r.Path == o.Path && sameFS(r.FS, o.FS) }

func sameFS(a, b *fsys.FS) bool {
	return a == b || a != nil && b != nil && a.Root() == b.Root() && a.Driver() == b.Driver()
}

// An Object is a Ref with what is known about it. Entry.Kind is zero when
// nothing is: the object was named, and nobody has looked yet.
type Object struct {
	Ref
	Entry fsys.Entry
}

// size returns the size in bytes, or -1 when it is not known.
func (o Object) size() int64 {
	if o.Entry.Kind == 0 {
		return -1
	}
	return o.Entry.Size
}

// A Status says how an item ended.
type Status uint8

// The ends an item can come to.
const (
	Done     Status = 1 // as asked
	Failed   Status = 2 // Event.Err says why; nothing was left behind
	Skipped  Status = 3 // nothing had to be done; Event.Reason says why
	Canceled Status = 4 // begun and given up because the run ended early
)

// String returns the status in one lower-case word.
func (s Status) String() string {
	switch s {
	case Done:
		return "done"
	case Failed:
		return "failed"
	case Skipped:
		return "skipped"
	case Canceled:
		return "canceled"
	}
	return "unknown"
}

// An Event is the end of one item.
type Event struct {
	// Op is "copy", "move", "remove" or "cat". A sync copies and removes.
	Op string
	// Src is what the item was about.
	Src Ref
	// Dst is where it went; zero for operations without a destination.
	Dst Ref
	// Bytes is how much was moved.
	Bytes int64
	// Status is never zero.
	Status Status
	// Reason says in a few words why an item was skipped.
	Reason string
	// Err is set when the item failed.
	Err error
}

// A Summary counts how the items of a run ended. Every item of the plan that
// was reached is in exactly one of the counts.
type Summary struct {
	Done, Failed, Skipped int64
	// Canceled counts items that were begun or waited when the run ended
	// early.
	Canceled int64
	// Bytes is how much was moved, by items that are done.
	Bytes int64
	// Errors are the first errors of failed items, in order of failing; see
	// [Options].KeepErrors.
	Errors []error
}

// Total returns the number of items.
func (s *Summary) Total() int64 { return s.Done + s.Failed + s.Skipped + s.Canceled }

// An ItemsError says that a run came to its end, but some items failed.
type ItemsError struct {
	Op      string
	Summary Summary
}

// Error returns a count and the first cause.
func (e *ItemsError) Error() string {
	s := fmt.Sprintf("%s: %d of %d failed", e.Op, e.Summary.Failed, e.Summary.Total())
	if len(e.Summary.Errors) > 0 {
		s += ", the first: " + e.Summary.Errors[0].Error()
	}
	return s
}

// Unwrap returns the errors that were kept.
func (e *ItemsError) Unwrap() []error { return e.Summary.Errors }

// Options tunes a run. Nil and the zero value mean the defaults.
type Options struct {
	// Jobs is how many items are worked on at once. Default 256: at 20 ms a
	// request that is over 10,000 objects a second. 1 works in sequence.
	Jobs int
	// Window bounds the bytes held in memory, by buffers and by what was
	// read ahead. Default 64 MiB: 256 streams of 256 KiB.
	Window int64
	// NoClobber leaves what exists at a destination alone. Such an item is
	// skipped. The decision is atomic where the store can decide, and for a
	// copy inside one store it is not: there it is a look before the copy.
	NoClobber bool
	// Verify compares each copy with its source by digest: with what the
	// store tells of the copy where that is one, else by reading it back.
	// Without it the sizes are compared.
	Verify bool
	// Times gives local copies the time of their source. Other stores set
	// the time themselves.
	Times bool
	// KeepErrors is how many errors the summary keeps. Default 20.
	KeepErrors int
	// Event is told the end of each item, one call at a time, on the
	// goroutine that did the work. It should not take long. May be nil.
	Event func(Event)
	// Progress is counted while the run is under way. May be nil.
	Progress *Progress
}

const (
	defaultJobs   = 256
	defaultWindow = 64 << 20
	defaultKeep   = 20
)

// withDefaults returns a copy of opts with every field set.
func (opts *Options) withDefaults() Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Jobs <= 0 {
		o.Jobs = defaultJobs
	}
	if o.Window <= 0 {
		o.Window = defaultWindow
	}
	if o.KeepErrors <= 0 {
		o.KeepErrors = defaultKeep
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	return o
}

// base returns the last component of path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// join puts name below dir; "" is the root.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// below reports whether path is inside dir.
func below(path, dir string) bool {
	return dir == "" || strings.HasPrefix(path, dir+"/")
}
