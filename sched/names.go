package sched

import "iter"

// Names is a compact list of byte strings, with a size for each. The zero
// value is empty. It is not safe for concurrent use while it grows.
type Names struct {
	// Blob holds the names one after the other.
	Blob []byte `cbor:"1,keyasint,omitempty"`
	// Ends holds where each name ends in Blob.
	Ends []uint32 `cbor:"2,keyasint,omitempty"`
	// Sizes holds what the listing said of each size in bytes; -1 unknown.
	Sizes []int64 `cbor:"3,keyasint,omitempty"`
}

// Len returns how many names there are.
func (n *Names) Len() int { return len(n.Ends) }

// Append adds a name. The blob must stay below 4 GiB.
func (n *Names) Append(name string, size int64) {
	n.Blob = append(n.Blob, name...)
	n.Ends = append(n.Ends, uint32(len(n.Blob)))
	n.Sizes = append(n.Sizes, size)
}

// At returns name i and its size.
func (n *Names) At(i int) (string, int64) {
	start := uint32(0)
	if i > 0 {
		start = n.Ends[i-1]
	}
	size := int64(-1)
	if i < len(n.Sizes) {
		size = n.Sizes[i]
	}
	return string(n.Blob[start:n.Ends[i]]), size
}

// All yields the names with their sizes.
func (n *Names) All() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for i := range n.Ends {
			if !yield(n.At(i)) {
				return
			}
		}
	}
}

// Valid reports whether n is well formed, as it may not be when it comes
// from a wire.
func (n *Names) Valid() bool {
	last := uint32(0)
	for _, e := range n.Ends {
		if e < last || int(e) > len(n.Blob) {
			return false
		}
		last = e
	}
	return len(n.Sizes) == 0 || len(n.Sizes) == len(n.Ends)
}
