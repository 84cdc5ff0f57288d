package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// An Item is an entry and what the format knows of it.
type Item[T any] struct {
	driver.Entry
	Data T
}

// An Index is an immutable table of contents in the order of listings. The
// zero value is empty.
type Index[T any] struct {
	items []Item[T]
}

// Build returns the index of items, which it takes over. Of several items
// with one path and kind the last counts. Directories that paths imply are
// added. More than most items, these included, are refused.
func Build[T any](items []Item[T], most int) (*Index[T], error) {
	if err := checkCount(len(items), most); err != nil {
		return nil, err
	}
	items, err := withParents(items, most)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(items, func(a, b Item[T]) int { return compare(&a.Entry, &b.Entry) })
	// Stable and backwards: the last of its path is met first.
	keep := len(items)
	for i := len(items) - 1; i >= 0; i-- {
		if keep < len(items) && compare(&items[i].Entry, &items[keep].Entry) == 0 {
			continue
		}
		keep--
		items[keep] = items[i]
	}
	return &Index[T]{items: slices.Clip(items[keep:])}, nil
}

func checkCount(n, most int) error {
	if n > most {
		return &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("more than %d names; raise the limit in the options if the archive is trusted", most)}
	}
	return nil
}

// withParents adds the directories that lie above items.
func withParents[T any](items []Item[T], most int) ([]Item[T], error) {
	seen := map[string]struct{}{}
	for i := range items {
		if items[i].Kind == driver.Dir {
			seen[items[i].Path] = struct{}{}
		}
	}
	for _, it := range items {
		if CheckName(it.Path) != nil {
			continue
		}
		// The way up ends at a directory that is known: its parents are, or
		// its own turn comes.
		for p := it.Path; ; {
			i := strings.LastIndexByte(p, '/')
			if i <= 0 {
				break
			}
			p = p[:i]
			if _, ok := seen[p]; ok {
				break
			}
			seen[p] = struct{}{}
			items = append(items, Item[T]{Entry: driver.Entry{Path: p, Kind: driver.Dir, Size: -1}})
			if err := checkCount(len(items), most); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

// compare orders entries as listings do: a directory as its path with a "/".
func compare(a, b *driver.Entry) int {
	n := min(len(a.Path), len(b.Path))
	if c := strings.Compare(a.Path[:n], b.Path[:n]); c != 0 {
		return c
	}
	return strings.Compare(rest(a, n), rest(b, n))
}

// rest is the key of e from byte n on, without making the whole key.
func rest(e *driver.Entry, n int) string {
	switch {
	case e.Kind != driver.Dir:
		return e.Path[n:]
	case n == len(e.Path):
		return "/"
	}
	return e.Path[n:] + "/"
}

// compareKey orders an entry and a key.
func compareKey(e *driver.Entry, key string) int {
	n := min(len(e.Path), len(key))
	if c := strings.Compare(e.Path[:n], key[:n]); c != 0 {
		return c
	}
	return strings.Compare(rest(e, n), key[n:])
}

// Len returns how many items there are, directories included.
func (x *Index[T]) Len() int { return len(x.items) }

// All yields every item in order. The loop must not change them.
func (x *Index[T]) All() iter.Seq[*Item[T]] {
	return func(yield func(*Item[T]) bool) {
		for i := range x.items {
			if !yield(&x.items[i]) {
				return
			}
		}
	}
}

// search returns the position of the first item whose key is key or greater.
func (x *Index[T]) search(key string) int {
	return sort.Search(len(x.items), func(i int) bool { return compareKey(&x.items[i].Entry, key) >= 0 })
}

// at returns the item with that key, or nil.
func (x *Index[T]) at(key string) *Item[T] {
	if i := x.search(key); i < len(x.items) && compareKey(&x.items[i].Entry, key) == 0 {
		return &x.items[i]
	}
	return nil
}

// Find returns what is at path: an object before a directory. The root is a
// directory. What is absent is [fault.NotExist].
func (x *Index[T]) Find(op, path string) (*Item[T], error) {
	if path == "" {
		return &Item[T]{Entry: driver.Entry{Kind: driver.Dir, Size: -1}}, nil
	}
	if it := x.at(path); it != nil && it.Kind != driver.Dir {
		return it, nil
	}
	if it := x.at(path + "/"); it != nil && it.Kind == driver.Dir {
		return it, nil
	}
	return nil, fault.New(op, path, fault.NotExist, nil)
}

// FindFile is [Index.Find] for an object that is to be read.
func (x *Index[T]) FindFile(op, path string) (*Item[T], error) {
	it, err := x.Find(op, path)
	if err != nil {
		return nil, err
	}
	if it.Kind == driver.Dir {
		return nil, fault.New(op, path, fault.IsDir, nil)
	}
	return it, nil
}

// List implements the method of [driver.FS] over the index.
func (x *Index[T]) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		base := ""
		if dir != "" {
			base = dir + "/"
			if it := x.at(base); it == nil || it.Kind != driver.Dir {
				yield(driver.Entry{}, fault.New("list", dir, fault.NotExist, nil))
				return
			}
		}
		prefix := base + opts.Prefix
		for i := x.search(max(prefix, opts.After)); i < len(x.items); {
			if ctx.Err() != nil {
				yield(driver.Entry{}, fault.New("list", dir, fault.KindOf(ctx.Err()), context.Cause(ctx)))
				return
			}
			e := &x.items[i].Entry
			if !strings.HasPrefix(e.Path, prefix) && e.Path+"/" != prefix {
				return
			}
			i++
			// The directory itself, or one that only its "/" puts in range.
			if len(e.Path) < len(prefix) || e.Path == dir || compareKey(e, opts.After) == 0 {
				continue
			}
			if !opts.Recursive {
				if s := strings.IndexByte(e.Path[len(base):], '/'); s >= 0 && len(base)+s > 0 && len(base)+s < len(e.Path) {
					i = x.search(e.Path[:len(base)+s] + "0") // "0" follows "/"
					continue
				}
				if e.Kind == driver.Dir {
					i = x.search(e.Path + "0")
				}
			}
			if !yield(*e, nil) {
				return
			}
		}
	}
}
