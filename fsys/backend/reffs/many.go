package reffs

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
	"github.com/leat-dev/leat/task"
)

const (
	// mergedBytes is the most that one request fetches for several names.
	mergedBytes = 16 << 20
	// inFlight is how many requests run at once.
	inFlight = 32
)

// A piece is one name to read and where the answer goes.
type piece struct {
	it *archive.Item[ref]
	i  int
}

// ReadFiles reads the objects at paths and returns content and error of each,
// in order. Ranges of one target that overlap, or that are no further apart
// than [Options.MaxGap], are read with one request. All content is in memory
// at the end. It blocks until the last request ends.
func (f *FS) ReadFiles(ctx context.Context, paths []string) ([][]byte, []error) {
	data, errs := make([][]byte, len(paths)), make([]error, len(paths))
	byTarget := map[string][]piece{}
	var targets []string // in order of appearance
	var single []int
	for i, path := range paths {
		t, err := f.held.Get(ctx, "open", path)
		if err != nil {
			errs[i] = err
			continue
		}
		it, err := t.index.FindFile("open", path)
		if err != nil || it.Data.why != nil || it.Data.url == "" || it.Data.n <= 0 {
			single = append(single, i) // Open says what is wrong with it
			continue
		}
		if byTarget[it.Data.url] == nil {
			targets = append(targets, it.Data.url)
		}
		byTarget[it.Data.url] = append(byTarget[it.Data.url], piece{it, i})
	}
	err := task.Run(ctx, &task.Options{Name: "read references", Limit: inFlight}, func(g *task.Group) error {
		for _, i := range single {
			g.Go("read "+paths[i], func(ctx context.Context) error {
				data[i], errs[i] = f.readOne(ctx, paths[i])
				return nil
			})
		}
		for _, url := range targets {
			for _, run := range merge(byTarget[url], f.opts.MaxGap) {
				g.Go("read "+url, func(ctx context.Context) error {
					f.readRun(ctx, run, data, errs)
					return nil
				})
			}
		}
		return nil
	})
	if err != nil { // ctx has ended, so tasks may not have run
		for i := range paths {
			if data[i] == nil && errs[i] == nil {
				errs[i] = fault.New("open", paths[i], fault.Unknown, err)
			}
		}
	}
	return data, errs
}

// merge sorts pieces of one target into runs that one request reads.
func merge(pieces []piece, gap int64) [][]piece {
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.it.Data.off, b.it.Data.off) })
	var runs [][]piece
	var start, end int64
	for _, p := range pieces {
		off, to := p.it.Data.off, p.it.Data.off+p.it.Data.n
		n := len(runs)
		if n > 0 && off-end <= max(gap, 0) && (to <= end || to-start <= mergedBytes) {
			runs[n-1] = append(runs[n-1], p)
			end = max(end, to)
			continue
		}
		runs = append(runs, []piece{p})
		start, end = off, to
	}
	return runs
}

// readOne reads a name by itself.
func (f *FS) readOne(ctx context.Context, path string) ([]byte, error) {
	r, err := f.Open(ctx, path, driver.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// readRun reads pieces that lie near each other.
func (f *FS) readRun(ctx context.Context, run []piece, data [][]byte, errs []error) {
	start, end := run[0].it.Data.off, int64(0)
	for _, p := range run {
		end = max(end, p.it.Data.off+p.it.Data.n)
	}
	url := run[0].it.Data.url
	all, err := f.readTarget(ctx, url, start, end-start)
	for _, p := range run {
		r := &p.it.Data
		from, to := r.off-start, r.off-start+r.n
		switch {
		case err != nil:
			errs[p.i] = unreachable("open", p.it.Path, url, err)
		case to > int64(len(all)):
			errs[p.i] = fault.New("read", p.it.Path, fault.Corrupt, errShort)
		default:
			data[p.i] = all[from:to:to]
		}
	}
}

func (f *FS) readTarget(ctx context.Context, url string, off, n int64) ([]byte, error) {
	fs, path, err := f.resolve(ctx, url)
	if err != nil {
		return nil, err
	}
	r, err := fs.Open(ctx, path, &fsys.OpenOptions{Offset: off, Length: n})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, n)) // n is what a file claims
}
