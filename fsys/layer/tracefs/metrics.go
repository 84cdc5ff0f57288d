package tracefs

import (
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/fault"
)

// op is a place in the table of operations.
type op int

const (
	opStat op = iota
	opList
	opOpen
	opRead
	opCreate
	opWrite
	opCommit
	opAbort
	opRemove
	opCopy
	numOps
)

var opNames = [numOps]string{"stat", "list", "open", "read", "create", "write", "commit", "abort", "remove", "copy"}

// bounds are the upper ends of the latency buckets: from what memory needs to
// what only a stuck store does, about three to a decade.
var bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// kinds is more than package fault has.
const kinds = 32

// Metrics holds the numbers of all operations. It is safe for concurrent use.
// The zero value is ready; it must not be copied.
type Metrics struct{ ops [numOps]opMetrics }

type opMetrics struct {
	active, calls, bytes, entries, nanos atomic.Int64

	failed  [kinds]atomic.Int64
	buckets [len(bounds) + 1]atomic.Int64
}

// count adds an operation that has ended.
func (m *opMetrics) count(e *Event) {
	m.active.Add(-1)
	m.calls.Add(1)
	m.bytes.Add(e.Bytes)
	m.entries.Add(e.Entries)
	m.nanos.Add(int64(e.Took))
	if e.Err != nil {
		m.failed[min(fault.KindOf(e.Err), kinds-1)].Add(1)
	}
	i := 0
	for i < len(bounds) && e.Took > bounds[i] {
		i++
	}
	m.buckets[i].Add(1)
}

// Stats are the numbers of one operation.
type Stats struct {
	Op     string
	Active int64 // under way
	Calls  int64 // ended, failures included
	// Failed counts failures by kind; absent means none.
	Failed  map[fault.Kind]int64
	Bytes   int64 // came or went
	Entries int64 // listed or removed
	Took    time.Duration
	// Buckets[i] counts the calls that took at most Bounds()[i] and more
	// than the bound before; the last has no bound.
	Buckets []int64
}

// Bounds returns the upper ends of the latency buckets but the last.
func Bounds() []time.Duration { return append([]time.Duration(nil), bounds[:]...) }

// Snapshot returns the numbers of all operations, in the order of the package
// documentation. Calls that end meanwhile may be counted in part. It does not
// block.
func (m *Metrics) Snapshot() []Stats {
	all := make([]Stats, numOps)
	for i := range m.ops {
		o := &m.ops[i]
		s := Stats{
			Op: opNames[i], Active: o.active.Load(), Calls: o.calls.Load(), Failed: map[fault.Kind]int64{},
			Bytes: o.bytes.Load(), Entries: o.entries.Load(), Took: time.Duration(o.nanos.Load()),
			Buckets: make([]int64, len(o.buckets)),
		}
		for k := range o.failed {
			if n := o.failed[k].Load(); n > 0 {
				s.Failed[fault.Kind(k)] = n
			}
		}
		for j := range o.buckets {
			s.Buckets[j] = o.buckets[j].Load()
		}
		all[i] = s
	}
	return all
}
