package work

import (
	"bufio"
	"bytes"
	"container/heap"
	"io"
	"slices"

	"github.com/leat-dev/leat/fault"
)

// sortReducer puts all lines of all results in byte order. A partial is the
// sorted lines, each with its newline.
type sortReducer struct{}

const (
	// sortBytes is what lines take in memory before they become a run.
	sortBytes = 32 << 20
	// lineBytes is what a line costs besides its own bytes.
	lineBytes = 24
	// maxRuns bounds the files that are open at once.
	maxRuns = 64
)

func (sortReducer) New(dir string) Fold { return &sortFold{dir: dir} }

type sortFold struct {
	dir   string
	lines [][]byte
	held  int
	runs  []*spool // each is sorted lines
}

func (f *sortFold) Add(_ uint64, _ string, value []byte) error {
	own := bytes.Clone(value)
	for len(own) > 0 {
		line, rest, _ := bytes.Cut(own, []byte{'\n'})
		own = rest
		f.lines = append(f.lines, line)
		f.held += len(line) + lineBytes
	}
	if f.held > sortBytes {
		return f.spill()
	}
	return nil
}

// spill turns the lines in memory into a run.
func (f *sortFold) spill() error {
	if len(f.lines) == 0 {
		return nil
	}
	slices.SortFunc(f.lines, bytes.Compare)
	run := &spool{dir: f.dir}
	f.runs = append(f.runs, run)
	out := bufio.NewWriterSize(run, readBufferBytes)
	for _, l := range f.lines {
		out.Write(l) // errors stay in out
		out.WriteByte('\n')
	}
	f.lines, f.held = nil, 0
	if err := out.Flush(); err != nil {
		return fault.New("sort", "", fault.Unknown, err)
	}
	return f.compact()
}

// compact merges the runs into one when there are many.
func (f *sortFold) compact() error {
	if len(f.runs) < maxRuns {
		return nil
	}
	one := &spool{dir: f.dir}
	if err := f.mergeRuns(one); err != nil {
		one.Close()
		return err
	}
	for _, r := range f.runs {
		r.Close()
	}
	f.runs = []*spool{one}
	return nil
}

func (f *sortFold) Merge(partial io.Reader) error {
	run := &spool{dir: f.dir}
	f.runs = append(f.runs, run)
	if _, err := io.Copy(run, partial); err != nil {
		return badPartial(err)
	}
	return f.compact()
}

func (f *sortFold) Encode(w io.Writer) error {
	if err := f.spill(); err != nil {
		return err
	}
	return f.mergeRuns(w)
}

func (f *sortFold) Final(w io.Writer) error { return f.Encode(w) }

// cursor is a run that is being read.
type cursor struct {
	in   *bufio.Reader
	buf  []byte
	line []byte
}

// cursors is a heap by line.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].line, c[j].line) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// mergeRuns writes the lines of all runs in order.
func (f *sortFold) mergeRuns(w io.Writer) error {
	var h cursors
	for _, run := range f.runs {
		r, err := run.section(0, run.size)
		if err != nil {
			return err
		}
		c := &cursor{in: bufio.NewReaderSize(r, readBufferBytes)}
		if c.line, err = nextLine(c.in, &c.buf); err == nil {
			h = append(h, c)
		} else if err != io.EOF {
			return err
		}
	}
	heap.Init(&h)
	out := bufio.NewWriterSize(w, readBufferBytes)
	for len(h) > 0 {
		c := h[0]
		out.Write(c.line)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
		var err error
		switch c.line, err = nextLine(c.in, &c.buf); err {
		case nil:
			heap.Fix(&h, 0)
		case io.EOF:
			heap.Pop(&h)
		default:
			return err
		}
	}
	return out.Flush()
}

func (f *sortFold) absorb(other Fold) (bool, error) {
	o, ok := other.(*sortFold)
	if !ok {
		return false, nil
	}
	f.lines = append(f.lines, o.lines...)
	f.held += o.held
	f.runs = append(f.runs, o.runs...)
	o.lines, o.runs = nil, nil
	if f.held > sortBytes {
		return true, f.spill()
	}
	return true, nil
}

func (f *sortFold) Close() error {
	for _, r := range f.runs {
		r.Close()
	}
	f.runs, f.lines = nil, nil
	return nil
}
