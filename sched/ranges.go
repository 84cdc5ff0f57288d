package sched

import (
	"slices"
	"sort"
)

// A Range is N input numbers from From on.
type Range struct {
	From uint64 `cbor:"1,keyasint"`
	N    uint64 `cbor:"2,keyasint"`
}

// End returns the first number behind the range.
func (r Range) End() uint64 { return r.From + r.N }

// A Set is a set of input numbers, kept as sorted ranges that neither touch
// nor overlap. The zero value is empty. Its cost is the number of ranges,
// not of members.
type Set []Range

// Len returns the number of members.
func (s Set) Len() uint64 {
	n := uint64(0)
	for _, r := range s {
		n += r.N
	}
	return n
}

// after returns the index of the first range that ends behind x.
func (s Set) after(x uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].End() > x })
}

// Contains reports whether all of r is in s.
func (s Set) Contains(r Range) bool {
	i := s.after(r.From)
	return r.N == 0 || i < len(s) && s[i].From <= r.From && r.End() <= s[i].End()
}

// Overlaps reports whether any of r is in s.
func (s Set) Overlaps(r Range) bool {
	i := s.after(r.From)
	return r.N > 0 && i < len(s) && s[i].From < r.End()
}

// Add puts r into s.
func (s *Set) Add(r Range) {
	if r.N == 0 {
		return
	}
	// First range that touches or lies behind r, first that lies behind.
	i := sort.Search(len(*s), func(i int) bool { return (*s)[i].End() >= r.From })
	j := i
	for j < len(*s) && (*s)[j].From <= r.End() {
		end := max(r.End(), (*s)[j].End())
		r.From = min(r.From, (*s)[j].From)
		r.N = end - r.From
		j++
	}
	*s = slices.Replace(*s, i, j, r)
}

// AddSet puts all of o into s.
func (s *Set) AddSet(o Set) {
	for _, r := range o {
		s.Add(r)
	}
}

// Remove takes r out of s; what is not in s is passed over.
func (s *Set) Remove(r Range) {
	if r.N == 0 {
		return
	}
	i := s.after(r.From)
	if i < len(*s) && r.From <= (*s)[i].From && r.End() < (*s)[i].End() && r.End() > (*s)[i].From {
		(*s)[i] = Range{r.End(), (*s)[i].End() - r.End()} // the usual case: from the front
		return
	}
	j := i
	var keep []Range
	for j < len(*s) && (*s)[j].From < r.End() {
		old := (*s)[j]
		if old.From < r.From {
			keep = append(keep, Range{old.From, r.From - old.From})
		}
		if old.End() > r.End() {
			keep = append(keep, Range{r.End(), old.End() - r.End()})
		}
		j++
	}
	*s = slices.Replace(*s, i, j, keep...)
}

// TakeFirst removes and returns up to n of the smallest members.
func (s *Set) TakeFirst(n uint64) Set {
	var out Set
	for n > 0 && len(*s) > 0 {
		r := (*s)[0]
		take := min(n, r.N)
		out = append(out, Range{r.From, take})
		n -= take
		if take == r.N {
			*s = (*s)[1:]
		} else {
			(*s)[0] = Range{r.From + take, r.N - take}
		}
	}
	return out
}

// Clone returns a copy that shares nothing with s.
func (s Set) Clone() Set { return slices.Clone(s) }
