package cachefs

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/fault"
)

// Forever, as [Options.Revalidate], trusts for ever what the store once said.
const Forever time.Duration = -1

// Options tunes [New]. Zero means the default, negative means none.
type Options struct {
	// Revalidate is how long an answer of the store about an object's
	// version is trusted. Default 0: each Open and Stat asks. [Forever] never
	// asks again; what the cache does not know yet it still asks for. With
	// Dir, the answers are shared with other processes and outlive this one.
	Revalidate time.Duration
	// ListTTL is how long a listing is served from memory. Default 10 s: a
	// change by others stays unseen that long.
	ListTTL time.Duration
	// ListEntries bounds the entries in all listings kept, and the objects
	// whose version is remembered. Default 100,000, some 20 MB.
	ListEntries int
	// BlockBytes is the unit that objects are fetched in. Default 256 KiB;
	// smaller than 4 KiB is refused. Caches that share a directory share
	// blocks of the same size only.
	BlockBytes int64
	// MemoryBytes bounds the blocks in memory. Default 64 MiB.
	MemoryBytes int64
	// MaxAge bounds how long data is kept after it was fetched. Default 7
	// days.
	MaxAge time.Duration

	// Dir is the directory of the disk cache, made if needed, private to the
	// user. Empty means none.
	Dir string
	// Store tells stores apart that share Dir: the root URL. It must be set
	// when Dir is.
	Store string
	// DiskBytes bounds the files in Dir, of all who share it. It may be
	// exceeded by a sixteenth for each process until it is noticed. Default
	// 10 GiB.
	DiskBytes int64
	// WholeBytes is the size up to which objects are fetched and kept whole,
	// on disk. The first Open then waits for all of it. Default none.
	WholeBytes int64

	// Stats takes the numbers; nil means ones that nobody reads.
	Stats *Stats
}

// Stats counts what a cache did. It is safe for concurrent use, may be shared
// by several caches, and must not be copied.
type Stats struct {
	// MemoryHits, DiskHits and Misses count blocks and, of whole objects,
	// opens, by where they came from.
	MemoryHits, DiskHits, Misses atomic.Int64
	// Requests counts bodies opened at the store, FetchedBytes what they
	// gave.
	Requests, FetchedBytes atomic.Int64
	// ListHits counts listings served from memory.
	ListHits atomic.Int64
	// Corrupt counts files that failed a check and were removed, DiskErrors
	// what the disk refused, Evicted files removed for space or age.
	Corrupt, DiskErrors, Evicted atomic.Int64
}

const minBlockBytes = 4 << 10

func (o Options) withDefaults() (Options, error) {
	defaulted(&o.ListTTL, 10*time.Second)
	defaulted(&o.ListEntries, 100_000)
	defaulted(&o.BlockBytes, 256<<10)
	defaulted(&o.MemoryBytes, 64<<20)
	defaulted(&o.MaxAge, 7*24*time.Hour)
	defaulted(&o.DiskBytes, 10<<30)
	if o.Stats == nil {
		o.Stats = &Stats{}
	}
	switch {
	case o.BlockBytes < minBlockBytes || o.BlockBytes > 1<<30:
		return o, invalid(fmt.Errorf("blocks of %d bytes; use %d to %d", o.BlockBytes, minBlockBytes, 1<<30))
	case o.Dir != "" && o.Store == "":
		return o, invalid(errors.New("a disk cache needs Store, which tells the stores in it apart"))
	case o.WholeBytes > 0 && o.Dir == "":
		return o, invalid(errors.New("whole objects are kept on disk: Dir is needed"))
	case o.Revalidate < 0 && o.Revalidate != Forever:
		return o, invalid(fmt.Errorf("revalidation after %v", o.Revalidate))
	}
	return o, nil
}

func defaulted[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func invalid(err error) error { return fault.New("cache", "", fault.Invalid, err) }
