package work

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// tallyReducer adds up numbers by key: "sum", and "top" with a bound. A
// partial is lines of number, tab and key, sorted by key; the sum of the
// lines without a key has no tab and comes first.
type tallyReducer struct {
	top int // 0: sum
}

func parseSum(param string) (Reducer, error) {
	if param != "" {
		return nil, fmt.Errorf("sum takes no parameter, got %q", param)
	}
	return tallyReducer{}, nil
}

func parseTop(param string) (Reducer, error) {
	n, err := strconv.Atoi(param)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("want top:N with N the number of lines to keep, got %q", param)
	}
	return tallyReducer{top: n}, nil
}

func (t tallyReducer) New(string) Fold { return &tallyFold{top: t.top, at: map[string]int32{}} }

type tallyFold struct {
	top  int
	at   map[string]int32 // key to its place in sums
	sums []number
	bare *number // sum of the lines without a key
}

func (f *tallyFold) count(key []byte, n number) {
	if i, ok := f.at[string(key)]; ok {
		f.sums[i].add(n)
		return
	}
	f.at[string(key)] = int32(len(f.sums))
	f.sums = append(f.sums, n)
}

func (f *tallyFold) countBare(n number) {
	if f.bare == nil {
		f.bare = &number{}
	}
	f.bare.add(n)
}

func (f *tallyFold) Add(_ uint64, name string, value []byte) error {
	for at := 1; len(value) > 0; at++ {
		line, rest, _ := bytes.Cut(value, []byte{'\n'})
		value = rest
		if skip(line, 0, true) == len(line) {
			continue
		}
		n, key, ok := splitLine(line)
		switch {
		case ok && len(key) > 0:
			f.count(key, n)
		case f.top > 0:
			f.count(line, number{small: 1})
		case ok:
			f.countBare(n)
		default:
			return fault.New("sum", name, fault.UserError,
				fmt.Errorf("line %d of the result does not begin with a number: %.60q", at, line))
		}
	}
	return nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }

// skip returns the first place from i on where being blank is not as asked.
func skip(line []byte, i int, blank bool) int {
	for i < len(line) && isBlank(line[i]) == blank {
		i++
	}
	return i
}

// splitLine reads "number key", as uniq -c prints it.
func splitLine(line []byte) (n number, key []byte, ok bool) {
	from := skip(line, 0, true)
	end := skip(line, from, false)
	n, ok = parseNumber(line[from:end], maxDigits)
	return n, line[skip(line, end, true):], ok
}

func (f *tallyFold) Merge(partial io.Reader) error {
	in := bufio.NewReaderSize(partial, readBufferBytes)
	var buf []byte
	for {
		line, err := nextLine(in, &buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return badPartial(err)
		}
		text, key, keyed := bytes.Cut(line, []byte{'\t'})
		n, ok := parseNumber(text, maxSumDigits)
		switch {
		case !ok:
			return badPartial(fmt.Errorf("not a number: %.60q", text))
		case keyed:
			f.count(key, n)
		default:
			f.countBare(n)
		}
	}
}

// A keySum is one line of the result.
type keySum struct {
	key string
	n   number
}

// byKey returns all sums in byte order of their keys.
func (f *tallyFold) byKey() []keySum {
	all := make([]keySum, 0, len(f.at))
	for k, i := range f.at {
		all = append(all, keySum{k, f.sums[i]})
	}
	slices.SortFunc(all, func(a, b keySum) int { return strings.Compare(a.key, b.key) })
	return all
}

func (f *tallyFold) Encode(w io.Writer) error {
	return f.write(w, f.byKey(), number.appendExact)
}

// Final writes the sums by key, or the largest in descending order with
// equal ones in byte order. The sum of nothing is 0.
func (f *tallyFold) Final(w io.Writer) error {
	if f.top > 0 {
		return f.write(w, f.largest(), number.appendText)
	}
	if len(f.at) == 0 && f.bare == nil {
		f.bare = &number{}
	}
	return f.write(w, f.byKey(), number.appendText)
}

// bySum orders the largest first, equal ones in byte order.
func bySum(a, b keySum) int {
	if c := b.n.compare(a.n); c != 0 {
		return c
	}
	return strings.Compare(a.key, b.key)
}

// largest returns the lines of a top, in order. Few of many are found without
// sorting all.
func (f *tallyFold) largest() []keySum {
	top := min(f.top, len(f.at))
	var best []keySum // once full, the first top of them are in order
	for k, i := range f.at {
		s := keySum{k, f.sums[i]}
		if len(best) >= top && bySum(s, best[top-1]) > 0 {
			continue
		}
		best = append(best, s)
		if len(best) == top || len(best) == 2*top {
			slices.SortFunc(best, bySum)
			best = best[:top]
		}
	}
	slices.SortFunc(best, bySum)
	return best[:top]
}

func (f *tallyFold) write(w io.Writer, all []keySum, text func(number, []byte) []byte) error {
	out := bufio.NewWriterSize(w, readBufferBytes)
	var line []byte
	if f.bare != nil {
		line = append(text(*f.bare, line[:0]), '\n')
		out.Write(line) // errors stay in out
	}
	for _, s := range all {
		line = append(text(s.n, line[:0]), '\t')
		line = append(append(line, s.key...), '\n')
		out.Write(line)
	}
	return out.Flush()
}

func (f *tallyFold) absorb(other Fold) (bool, error) {
	o, ok := other.(*tallyFold)
	if !ok {
		return false, nil
	}
	for k, i := range o.at {
		f.count([]byte(k), o.sums[i])
	}
	if o.bare != nil {
		f.countBare(*o.bare)
	}
	return true, nil
}

func (f *tallyFold) Close() error { return nil }

// nextLine returns the next line without its newline; it is valid until the
// next call. A last line need not have one. buf is for lines that do not fit
// the reader.
func nextLine(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		*buf = append((*buf)[:0], line...)
		for err == bufio.ErrBufferFull {
			line, err = in.ReadSlice('\n')
			*buf = append(*buf, line...)
		}
		line = *buf
	}
	if err == io.EOF && len(line) > 0 {
		return line, nil
	}
	if err != nil {
		return nil, err
	}
	return line[:len(line)-1], nil
}
