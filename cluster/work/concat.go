package work

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/leat-dev/leat/fault"
)

// concatReducer joins results in the order of the inputs. A partial is a
// list of records: index and length as uvarints, then the bytes.
type concatReducer struct{}

func (concatReducer) New(dir string) Fold { return &concatFold{data: spool{dir: dir}} }

type concatFold struct {
	data    spool
	entries []entry
}

// entry is one result inside the spool.
type entry struct {
	index  uint64
	off, n int64
	last   byte
}

func (f *concatFold) Add(index uint64, _ string, value []byte) error {
	e := entry{index: index, off: f.data.size, n: int64(len(value))}
	if e.n > 0 {
		e.last = value[e.n-1]
	}
	if _, err := f.data.Write(value); err != nil {
		return fault.New("fold", "", fault.Unknown, err)
	}
	f.entries = append(f.entries, e)
	return nil
}

func (f *concatFold) Merge(partial io.Reader) error {
	in := bufio.NewReaderSize(partial, readBufferBytes)
	for {
		index, err := binary.ReadUvarint(in)
		if err == io.EOF {
			return nil
		}
		var n uint64
		if err == nil {
			n, err = binary.ReadUvarint(in)
		}
		if err == nil && n > 1<<62 {
			err = errors.New("a length is out of range")
		}
		off := f.data.size
		if err == nil {
			_, err = io.CopyN(&f.data, in, int64(n))
		}
		if err != nil {
			return badPartial(err)
		}
		f.entries = append(f.entries, entry{index: index, off: off, n: int64(n)})
	}
}

// badPartial says that a partial cannot be read. A kind that reading it gave
// is kept.
func badPartial(err error) error {
	if kind := fault.KindOf(err); kind != fault.Unknown && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fault.New("merge", "", fault.Corrupt, err)
}

// each calls fn with the results in the order of the inputs.
func (f *concatFold) each(fn func(e entry, r io.Reader) error) error {
	slices.SortStableFunc(f.entries, func(a, b entry) int {
		switch {
		case a.index < b.index:
			return -1
		case a.index > b.index:
			return 1
		}
		return 0
	})
	for _, e := range f.entries {
		r, err := f.data.section(e.off, e.n)
		if err == nil {
			err = fn(e, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *concatFold) Encode(w io.Writer) error {
	var head []byte
	out := bufio.NewWriterSize(w, readBufferBytes)
	err := f.each(func(e entry, r io.Reader) error {
		head = binary.AppendUvarint(head[:0], e.index)
		head = binary.AppendUvarint(head, uint64(e.n))
		out.Write(head) // an error stays in out
		_, err := io.Copy(out, r)
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func (f *concatFold) Final(w io.Writer) error {
	out := bufio.NewWriterSize(w, readBufferBytes)
	err := f.each(func(_ entry, r io.Reader) error {
		_, err := io.Copy(out, r)
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func (f *concatFold) absorb(other Fold) (bool, error) {
	o, ok := other.(*concatFold)
	if !ok {
		return false, nil
	}
	base := f.data.size
	r, err := o.data.section(0, o.data.size)
	if err == nil {
		_, err = io.Copy(&f.data, r)
	}
	for _, e := range o.entries {
		e.off += base
		f.entries = append(f.entries, e)
	}
	return true, err
}

func (f *concatFold) Close() error { return f.data.Close() }
