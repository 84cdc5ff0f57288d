package zipfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Lengths of the fixed parts of records, and their signatures.
const (
	localLen, localSig     = 30, "PK\x03\x04"
	entryLen, entrySig     = 46, "PK\x01\x02"
	endLen, endSig         = 22, "PK\x05\x06"
	end64Len, end64Sig     = 56, "PK\x06\x06"
	locator64Len, locatSig = 20, "PK\x06\x07"

	maxComment = 1<<16 - 1
	// tailBytes holds the end record with the longest comment, and the whole
	// table of an archive of some hundred members.
	tailBytes = endLen + maxComment + locator64Len
)

// Bits of the flags of a member.
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagPatch      = 1 << 5
	flagMasked     = 1 << 13
)

var le = binary.LittleEndian

// A member is what the table says beside the entry.
type member struct {
	header int64  // where its local header is
	packed int64  // bytes of compressed data
	crc    uint32 // of the content
	method uint16
	flags  uint16
	extra  uint16 // length of the extra field in the table
	name   uint16 // length of the name in the table
	why    reason // why it is not opened
}

// A reason says why a member is not opened.
type reason uint8

const (
	fine reason = iota
	badName
	link
	overlap
	special
)

// A directory is where the table is.
type directory struct {
	off, size int64
	count     uint64
	shift     int64 // bytes before the archive proper, as in self-extracting ones
}

// findDirectory reads the end record, and the 64-bit one where there is one,
// out of the last bytes of the archive.
func findDirectory(ctx context.Context, src *archive.Source, tail []byte) (directory, error) {
	base := src.Size() - int64(len(tail))
	i := findEnd(tail)
	if i < 0 {
		return directory{}, errors.New("not a zip archive: it has no end record")
	}
	end := tail[i:]
	d := directory{count: uint64(le.Uint16(end[10:])), size: int64(le.Uint32(end[12:])), off: int64(le.Uint32(end[16:]))}
	at := base + int64(i) // where the table should end
	if le.Uint16(end[4:]) != le.Uint16(end[6:]) {
		return directory{}, fmt.Errorf("an archive in several parts: %w", errors.ErrUnsupported)
	}
	if d.count == 0xffff || d.size == 0xffffffff || d.off == 0xffffffff {
		pos, err := d.wide(ctx, src, tail, i)
		if err != nil {
			return directory{}, err
		}
		if pos >= 0 {
			at = pos
		}
	}
	d.shift = at - d.size - d.off
	if d.size < 0 || d.off < 0 || d.shift < 0 || d.off > src.Size() {
		return directory{}, errors.New("the end record points outside of the archive")
	}
	return d, nil
}

// findEnd returns where the last end record begins whose comment reaches to
// the end, or -1.
func findEnd(tail []byte) int {
	for i := len(tail); ; {
		i = bytes.LastIndex(tail[:i], []byte(endSig))
		if i < 0 {
			return -1
		}
		if rest := len(tail) - i; rest >= endLen && endLen+int(le.Uint16(tail[i+20:])) <= rest {
			return i
		}
	}
}

// wide reads the 64-bit end record, whose position it returns, or -1 where
// the archive has none.
func (d *directory) wide(ctx context.Context, src *archive.Source, tail []byte, end int) (int64, error) {
	if end < locator64Len || string(tail[end-locator64Len:][:4]) != locatSig {
		return -1, nil // 65,535 members and no more, say
	}
	pos := int64(le.Uint64(tail[end-locator64Len+8:]))
	base := src.Size() - int64(len(tail))
	// What precedes the archive is not counted in pos, so the usual place,
	// right before the locator, is looked at first.
	usual := base + int64(end) - locator64Len - end64Len
	rec, err := slice(ctx, src, tail, usual, end64Len)
	if err == nil && string(rec[:4]) == end64Sig {
		pos = usual
	} else if rec, err = slice(ctx, src, tail, pos, end64Len); err != nil {
		return -1, err
	}
	if string(rec[:4]) != end64Sig {
		return -1, errors.New("the 64-bit end record is missing")
	}
	d.count, d.size, d.off = le.Uint64(rec[32:]), int64(le.Uint64(rec[40:])), int64(le.Uint64(rec[48:]))
	return pos, nil
}

// slice returns n bytes of the archive, from tail when they are there.
func slice(ctx context.Context, src *archive.Source, tail []byte, off, n int64) ([]byte, error) {
	base := src.Size() - int64(len(tail))
	switch {
	case off < 0 || n < 0 || off > src.Size()-n:
		return nil, errors.New("a record lies outside of the archive")
	case off >= base:
		return tail[off-base:][:n], nil
	}
	return src.Read(ctx, off, n)
}

// readTable reads the table of contents.
func readTable(ctx context.Context, src *archive.Source, tail []byte, o *Options) (*archive.Index[member], error) {
	d, err := findDirectory(ctx, src, tail)
	if err != nil {
		return nil, err
	}
	if d.size > o.MaxTable {
		return nil, &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("the table of contents has %d bytes; the limit is %d", d.size, o.MaxTable)}
	}
	table, err := slice(ctx, src, tail, d.off+d.shift, d.size)
	if err != nil {
		return nil, err
	}
	items, err := parseTable(table, d, src)
	if err != nil {
		return nil, err
	}
	if uint64(len(items))&0xffff != d.count&0xffff {
		return nil, fmt.Errorf("the table has %d members, the end record says %d", len(items), d.count)
	}
	markOverlaps(items, d.off+d.shift)
	return archive.Build(slices.DeleteFunc(items, func(it archive.Item[member]) bool { return it.Path == "" }), o.MaxMembers)
}

// parseTable parses the records of the table.
func parseTable(table []byte, d directory, src *archive.Source) ([]archive.Item[member], error) {
	items := make([]archive.Item[member], 0, min(d.count, uint64(len(table)/entryLen)))
	for len(table) > 0 {
		if len(table) < entryLen || string(table[:4]) != entrySig {
			if string(table[:min(4, len(table))]) == "PK\x05\x05" {
				break // a signature of the table
			}
			return nil, fmt.Errorf("the record of member %d is broken", len(items)+1)
		}
		nameLen, extraLen, commentLen := int(le.Uint16(table[28:])), int(le.Uint16(table[30:])), int(le.Uint16(table[32:]))
		n := entryLen + nameLen + extraLen + commentLen
		if n > len(table) {
			return nil, fmt.Errorf("the record of member %d is cut off", len(items)+1)
		}
		it, err := parseEntry(table[:n], nameLen, extraLen, d)
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", len(items)+1, err)
		}
		if it.Kind != driver.Dir {
			it.Version = src.Version(strconv.FormatUint(uint64(it.Data.crc), 16) + "-" + strconv.FormatInt(it.Data.header, 36))
		}
		items = append(items, it)
		table = table[n:]
	}
	return items, nil
}

// parseEntry parses one record.
func parseEntry(rec []byte, nameLen, extraLen int, d directory) (archive.Item[member], error) {
	name := string(rec[entryLen:][:nameLen])
	extra := rec[entryLen+nameLen:][:extraLen]
	m := member{
		flags: le.Uint16(rec[8:]), method: le.Uint16(rec[10:]), crc: le.Uint32(rec[16:]),
		packed: int64(le.Uint32(rec[20:])), header: int64(le.Uint32(rec[42:])),
		name: uint16(nameLen), extra: uint16(extraLen),
	}
	e := driver.Entry{Kind: driver.File, Size: int64(le.Uint32(rec[24:])), ModTime: dosTime(le.Uint16(rec[14:]), le.Uint16(rec[12:]))}
	if err := readExtra(extra, &e, &m); err != nil {
		return archive.Item[member]{}, err
	}
	m.header += d.shift
	if e.Size < 0 || m.packed < 0 || m.header < 0 || m.header > d.off+d.shift-localLen || m.packed > d.off+d.shift-m.header-localLen {
		return archive.Item[member]{}, errors.New("it lies outside of the archive")
	}
	path, isDir := archive.CleanMember(name)
	if e.Path = path; isDir {
		e.Kind, e.Size = driver.Dir, -1
	}
	mode := le.Uint32(rec[38:]) >> 16
	switch madeBy := rec[5]; {
	case path != "" && archive.CheckName(path) != nil:
		e.Kind, e.Size, m.why = driver.Other, -1, badName
	case madeBy != 3 && madeBy != 19: // not Unix, not macOS: no modes
	case mode&0o170000 == 0o120000:
		e.Kind, e.Size, m.why = driver.Other, -1, link
	case mode&0o170000 != 0 && mode&0o170000 != 0o100000 && mode&0o170000 != 0o040000:
		e.Kind, e.Size, m.why = driver.Other, -1, special
	}
	return archive.Item[member]{Entry: e, Data: m}, nil
}

// readExtra looks for 64-bit sizes and for times of one second.
func readExtra(extra []byte, e *driver.Entry, m *member) error {
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			break // padding, as some writers leave
		}
		field := extra[:n]
		extra = extra[n:]
		switch {
		case id == 1:
			for _, v := range []*int64{&e.Size, &m.packed, &m.header} {
				if *v != 0xffffffff {
					continue
				}
				if len(field) < 8 {
					return errors.New("its 64-bit sizes are cut off")
				}
				*v, field = int64(le.Uint64(field)), field[8:]
			}
		case id == 0x5455 && n >= 5 && field[0]&1 != 0:
			e.ModTime = time.Unix(int64(int32(le.Uint32(field[1:]))), 0)
		}
	}
	return nil
}

// dosTime is a time of two seconds' precision without a zone, taken as UTC.
func dosTime(date, clock uint16) time.Time {
	if date == 0 {
		return time.Time{}
	}
	return time.Date(int(date>>9)+1980, time.Month(date>>5&15), int(date&31), int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC)
}

// markOverlaps marks the members that share bytes, which is how a small
// archive unpacks to petabytes.
func markOverlaps(items []archive.Item[member], tableAt int64) {
	order := make([]*member, len(items))
	for i := range items {
		order[i] = &items[i].Data
	}
	slices.SortFunc(order, func(a, b *member) int {
		switch {
		case a.header < b.header:
			return -1
		case a.header > b.header:
			return 1
		}
		return 0
	})
	var reach *member // the one that reaches furthest so far
	var end int64
	for _, m := range order {
		if m.header < end {
			m.why = max(m.why, overlap)
			if reach.why == fine {
				reach.why = overlap
			}
		}
		if e := m.header + localLen + int64(m.name) + m.packed; e > end {
			reach, end = m, e
		}
		if end > tableAt && reach.why == fine {
			reach.why = overlap
		}
	}
}
