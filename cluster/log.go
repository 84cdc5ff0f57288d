package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// A Log keeps records in order, durably. One writer at a time: an append
// says which record it follows, and is refused when another writer was
// there. Implementations are safe for concurrent use.
type Log interface {
	// Bounds returns the numbers of the first record and of the last one.
	// They have no gap between them; last is first-1 when there is none, and
	// 0 only for a log that is new.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Append adds a record after record last. When it returns nil the record
	// is safe. [errFenced] means that somebody else wrote; kind
	// [fault.NoSpace] that the log is full; after any other error the record
	// may be there or not.
	Append(ctx context.Context, last uint64, record []byte) error
	// Read returns a record; kind [fault.NotExist] when it was purged.
	Read(ctx context.Context, seq uint64) ([]byte, error)
	// Purge drops the records before seq.
	Purge(ctx context.Context, seq uint64) error
}

// errFenced says that another writer appended to the log.
var errFenced = errors.New("another scheduler writes to the log")

// maxRecordBytes is where a record is full; the last input may take it over.
const maxRecordBytes = 2 << 20

// record is the header of many inputs, as they stand in the log: a CBOR
// sequence of the header and, for each input, its sender and the input as
// the sender encoded it. A checksum follows, CRC-32C, big endian.
type record struct {
	Version int    `cbor:"1,keyasint"`
	Epoch   uint64 `cbor:"2,keyasint"`
	// At is the time of the inputs, in nanoseconds of the log.
	At    int64 `cbor:"3,keyasint"`
	Count int   `cbor:"4,keyasint"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumBytes = 4

// encode returns the record of the entries.
func (r *record) encode(es []entry) []byte {
	r.Count = len(es)
	parts := make([][]byte, 0, 2*len(es)+1)
	for _, e := range es {
		parts = append(parts, marshal(e.in.From), e.raw)
	}
	b := frame(r, append(parts, make([]byte, checksumBytes)))
	n := len(b) - checksumBytes
	binary.BigEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
	return b
}

// decodeRecord checks and reads record seq.
func decodeRecord(seq uint64, data []byte) (r *record, ins []*sched.Input, err error) {
	n := len(data) - checksumBytes
	if n < 0 || crc32.Checksum(data[:n], castagnoli) != binary.BigEndian.Uint32(data[n:]) {
		return nil, nil, fault.New("read log", "", fault.Corrupt, errors.New("the checksum is wrong"))
	}
	data = data[:n]
	r = &record{}
	raw, err := next(data, r)
	if err != nil {
		return nil, nil, err
	}
	if r.Version != wireVersion {
		return nil, nil, fault.New("read log", "", fault.Unsupported,
			fmt.Errorf("version %d; this program reads version %d", r.Version, wireVersion))
	}
	for i := range r.Count {
		var from string
		data = data[len(raw):]
		if raw, err = next(data, &from); err != nil {
			return nil, nil, err
		}
		data = data[len(raw):]
		var in *sched.Input
		if in, raw, err = nextInput(data); err != nil {
			return nil, nil, err
		}
		in.From, in.At, in.Ref = from, r.At, sched.Ref{Seq: seq, Pos: uint32(i)}
		ins = append(ins, in)
	}
	return r, ins, nil
}

// replay reads the whole log in order and gives each input to step. It
// returns the number of the last record, the last epoch and time.
func replay(ctx context.Context, l Log, step func(*sched.Input)) (last, epoch uint64, at int64, err error) {
	first, last, err := l.Bounds(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	for seq := first; seq <= last; seq++ {
		ins, e, err := readRecord(ctx, l, seq)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("record %d of %d to %d: %w", seq, first, last, err)
		}
		if e < epoch {
			return 0, 0, 0, fault.New("read log", "", fault.Corrupt,
				fmt.Errorf("record %d is of epoch %d and follows epoch %d", seq, e, epoch))
		}
		epoch = e
		for _, in := range ins {
			at = max(at, in.At)
			step(in)
		}
	}
	return last, epoch, at, nil
}

func readRecord(ctx context.Context, l Log, seq uint64) ([]*sched.Input, uint64, error) {
	data, err := l.Read(ctx, seq)
	if err != nil {
		return nil, 0, err
	}
	r, ins, err := decodeRecord(seq, data)
	if err != nil {
		return nil, 0, err
	}
	return ins, r.Epoch, nil
}

// cacheBytes bounds the decoded records in memory.
const cacheBytes = 32 << 20

// footprint is about what a record of size encoded bytes takes decoded.
func footprint(ins []*sched.Input, size int) int {
	const perInput, perItem, perName = 256, 112, 8
	size += perInput * len(ins)
	for _, in := range ins {
		switch {
		case in.Done != nil:
			size += perItem * (len(in.Done.Items) + len(in.Done.Failed))
		case in.Listed != nil:
			size += perName * in.Listed.Count
		}
	}
	return size
}

// recordCache keeps the inputs of recent records, so that names and results
// that were just logged need not be read again. It is safe for concurrent
// use; what it returns is shared and must not be changed.
type recordCache struct {
	log Log

	mu    sync.Mutex
	recs  map[uint64]cached
	order []uint64 // as they came
	bytes int
}

type cached struct {
	ins  []*sched.Input
	size int
}

func newRecordCache(l Log) *recordCache {
	return &recordCache{log: l, recs: map[uint64]cached{}}
}

// add keeps a record of size encoded bytes, and drops the oldest ones.
func (c *recordCache) add(seq uint64, ins []*sched.Input, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.recs[seq]; ok {
		return
	}
	size = footprint(ins, size)
	c.recs[seq] = cached{ins, size}
	c.order = append(c.order, seq)
	c.bytes += size
	for c.bytes > cacheBytes && len(c.order) > 1 {
		c.bytes -= c.recs[c.order[0]].size
		delete(c.recs, c.order[0])
		c.order = c.order[1:]
	}
}

// input returns an input by its place, from memory or from the log.
func (c *recordCache) input(ctx context.Context, ref sched.Ref) (*sched.Input, error) {
	c.mu.Lock()
	rec, ok := c.recs[ref.Seq]
	c.mu.Unlock()
	if !ok {
		data, err := c.log.Read(ctx, ref.Seq)
		if err != nil {
			return nil, err
		}
		if _, rec.ins, err = decodeRecord(ref.Seq, data); err != nil {
			return nil, err
		}
		c.add(ref.Seq, rec.ins, len(data))
	}
	if int(ref.Pos) >= len(rec.ins) {
		return nil, fault.New("read log", "", fault.Corrupt,
			fmt.Errorf("record %d has %d inputs, and number %d is wanted", ref.Seq, len(rec.ins), ref.Pos))
	}
	return rec.ins[ref.Pos], nil
}
