package bulk

import (
	"fmt"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// A Filter selects among the objects that arguments name. Names are taken
// relative to the directory that was named, or to the one where the wildcards
// of a pattern begin. Nil and the zero value select everything. It must not
// be changed while it is in use; then it is safe for concurrent use.
type Filter struct {
	// Include, when there is any, selects only the names that match one of
	// these patterns; Exclude then takes out those that match one of its
	// own. A pattern without "/" is about the last component of a name, any
	// other about the whole name; one that ends in "/" is about all that is
	// in such a directory.
	Include, Exclude []string
	// MinSize is the least size in bytes.
	MinSize int64
	// MaxSize is the largest size in bytes; 0 means no bound, negative only
	// empty objects.
	MaxSize int64
	// Newer and Older select what was changed after or before a time. Zero
	// means no bound.
	Newer, Older time.Time
}

// Check returns an error of kind [fault.Invalid] for a pattern that cannot be
// right.
func (f *Filter) Check() error {
	if f == nil {
		return nil
	}
	for _, list := range [][]string{f.Include, f.Exclude} {
		for _, pattern := range list {
			if pattern == "" {
				return fault.New("filter", "", fault.Invalid, fmt.Errorf("a pattern is empty"))
			}
			if _, err := fsys.MatchPath(filterPattern(pattern), "x"); err != nil {
				return fault.New("filter", pattern, fault.Invalid, err)
			}
		}
	}
	return nil
}

// filterPattern writes a pattern so that it is about the whole name.
func filterPattern(pattern string) string {
	bare, dir := strings.CutSuffix(pattern, "/")
	if !strings.Contains(bare, "/") {
		bare = "**/" + bare
	}
	if dir {
		bare += "/**"
	}
	return strings.TrimPrefix(bare, "/")
}

// Name reports whether the patterns select name. It asks for nothing else, so
// that it can be told of a name that is in one place and not in another.
func (f *Filter) Name(name string) bool {
	if f == nil {
		return true
	}
	if len(f.Include) > 0 && !matchesAny(f.Include, name) {
		return false
	}
	return !matchesAny(f.Exclude, name)
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if !strings.Contains(p, "/") {
			if ok, _ := fsys.MatchPath(p, base(name)); ok {
				return true
			}
			continue
		}
		if ok, _ := fsys.MatchPath(filterPattern(p), name); ok {
			return true
		}
	}
	return false
}

// Match reports whether f selects the object e, called name. What a store
// does not say does not pass a bound on it.
func (f *Filter) Match(name string, e fsys.Entry) bool {
	return f == nil || f.Name(name) && f.sized(e) && f.timed(e)
}

func (f *Filter) sized(e fsys.Entry) bool {
	if f.MinSize <= 0 && f.MaxSize == 0 {
		return true
	}
	if e.Kind != fsys.File || e.Size < f.MinSize || e.Size < 0 {
		return false
	}
	return f.MaxSize == 0 || e.Size <= max(f.MaxSize, 0)
}

func (f *Filter) timed(e fsys.Entry) bool {
	if f.Newer.IsZero() && f.Older.IsZero() {
		return true
	}
	return !e.ModTime.IsZero() &&
		(f.Newer.IsZero() || e.ModTime.After(f.Newer)) &&
		(f.Older.IsZero() || e.ModTime.Before(f.Older))
}

// any reports whether f can refuse anything.
func (f *Filter) any() bool {
	return f != nil && (len(f.Include)+len(f.Exclude) > 0 || f.MinSize > 0 || f.MaxSize != 0 ||
		!f.Newer.IsZero() || !f.Older.IsZero())
}
