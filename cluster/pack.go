package cluster

import (
	"encoding/binary"
	"errors"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// packItems writes items as a string of bytes, because there can be a
// million of them in a second: how many there are; for each its first number,
// how many, and its name, value and key, each behind its length, and its
// size; all numbers as varints.
func packItems(items []sched.Item) []byte {
	size := binary.MaxVarintLen64
	for i := range items {
		size += 16 + len(items[i].Name) + len(items[i].Value) + len(items[i].Key)
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(len(items)))
	for i := range items {
		it := &items[i]
		b = binary.AppendUvarint(b, it.Range.From)
		b = binary.AppendUvarint(b, it.Range.N)
		b = binary.AppendUvarint(b, uint64(len(it.Name)))
		b = append(b, it.Name...)
		b = binary.AppendUvarint(b, uint64(len(it.Value)))
		b = append(b, it.Value...)
		b = binary.AppendUvarint(b, uint64(len(it.Key)))
		b = append(b, it.Key...)
		b = binary.AppendUvarint(b, uint64(it.Size))
	}
	return b
}

var errPacked = fault.New("decode", "", fault.Corrupt, errors.New("packed items are cut off or overlong"))

// unpackItems reads what packItems wrote. Names and values are parts of b.
func unpackItems(b []byte) ([]sched.Item, error) {
	const least = 6 // bytes of an item
	u := unpacker{b: b}
	n := u.number()
	if n > uint64(len(u.b)/least) {
		return nil, errPacked
	}
	items := make([]sched.Item, 0, n)
	for range n {
		it := sched.Item{Range: sched.Range{From: u.number(), N: u.number()}}
		it.Name, it.Value = u.bytes(), u.bytes()
		it.Key, it.Size = string(u.bytes()), int64(u.number())
		items = append(items, it)
	}
	if u.bad || len(u.b) > 0 {
		return nil, errPacked
	}
	return items, nil
}

// unpacker reads from the front of b until something is wrong.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) number() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) bytes() []byte {
	n := u.number()
	if n > uint64(len(u.b)) {
		u.bad, u.b = true, nil
		return nil
	}
	out := u.b[:n:n]
	u.b = u.b[n:]
	if n == 0 {
		return nil
	}
	return out
}
