package dirwalk

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// List yields what is below dir as [driver.FS] says. read returns the entries
// right below a directory, in any order, with full paths; it is called
// concurrently, with up to ahead directories beyond the one the loop is at.
func List(ctx context.Context, dir string, opts driver.ListOptions, ahead int, read func(ctx context.Context, dir string) ([]driver.Entry, error)) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		sorted := func(ctx context.Context, dir string) ([]driver.Entry, error) {
			entries, err := read(ctx, dir)
			slices.SortFunc(entries, func(a, b driver.Entry) int { return cmp.Compare(sortKey(a), sortKey(b)) })
			return entries, err
		}
		l := &lister{read: sorted, ahead: ahead, ctx: ctx, opts: opts, prefix: opts.Prefix}
		defer l.running.Wait()
		defer cancel()
		if dir != "" {
			l.prefix = dir + "/" + opts.Prefix
		}
		l.yield = func(e driver.Entry) bool { return yield(e, nil) }
		if err := l.run(dir); err != nil && !errors.Is(err, errStop) {
			yield(driver.Entry{}, err)
		}
	}
}

// errStop says that the loop was left.
var errStop = errors.New("stop")

// A lister is one listing under way. It belongs to the goroutine of the loop.
type lister struct {
	read    func(ctx context.Context, dir string) ([]driver.Entry, error)
	ahead   int
	ctx     context.Context // of this one listing
	opts    driver.ListOptions
	prefix  string // that of all paths to yield
	yield   func(driver.Entry) bool
	pending []*fetch // directories to go into, in order
	started int      // how many of them have been
	running sync.WaitGroup
}

// A fetch is a directory that is being read, or waits to be.
type fetch struct {
	dir     string
	done    chan struct{} // nil until started
	entries []driver.Entry
	err     error
}

// run lists dir, or the directory below it that the prefix leads to.
func (l *lister) run(dir string) error {
	top := dir
	if i := strings.LastIndexByte(l.opts.Prefix, '/'); l.opts.Recursive && i >= 0 {
		top = l.prefix[:len(l.prefix)-len(l.opts.Prefix)+i]
	}
	n := &fetch{dir: top}
	l.pending = []*fetch{n}
	err := l.walk()
	if top != dir && n.err != nil && fault.KindOf(n.err) == fault.NotExist {
		// What the prefix names is absent: fine, if dir is there.
		_, err = l.read(l.ctx, dir)
	}
	return err
}

// walk yields what is in the first pending directory and, where asked for,
// below it.
func (l *lister) walk() error {
	n := l.next()
	if n.err != nil {
		return n.err
	}
	below := []*fetch{}
	for _, e := range n.entries {
		if l.enters(e) {
			below = append(below, &fetch{dir: e.Path})
		}
	}
	l.pending = append(below, l.pending...)
	l.readAhead(l.ahead)
	for _, e := range n.entries {
		if strings.HasPrefix(e.Path, l.prefix) && sortKey(e) > l.opts.After && !l.yield(e) {
			return errStop
		}
		if !l.enters(e) {
			continue
		}
		if err := l.walk(); err != nil && (fault.KindOf(err) != fault.NotExist || l.ctx.Err() != nil) {
			return err
		}
	}
	return nil
}

// enters reports whether the listing goes into e: whether a path below it can
// have the prefix and come after the place to resume at.
func (l *lister) enters(e driver.Entry) bool {
	key := sortKey(e)
	return l.opts.Recursive && e.Kind == driver.Dir &&
		(strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)) &&
		(key > l.opts.After || strings.HasPrefix(l.opts.After, key))
}

// next takes the first pending directory and waits until it has been read.
func (l *lister) next() *fetch {
	l.readAhead(1)
	n := l.pending[0]
	l.pending = l.pending[1:]
	<-n.done // ends with the context
	l.started--
	return n
}

// readAhead starts to read the first n pending directories. What was started
// and has fallen behind since, because its parent's neighbour had directories
// too, counts.
func (l *lister) readAhead(n int) {
	for i, next := range l.pending {
		if i >= n || i > 0 && l.started >= n {
			return
		}
		if next.done != nil {
			continue
		}
		next.done = make(chan struct{})
		l.started++
		// Owned by the listing, which waits for it before it ends.
		l.running.Go(func() {
			defer close(next.done)
			next.entries, next.err = l.read(l.ctx, next.dir)
		})
	}
}

// sortKey is what a listing is ordered by.
func sortKey(e driver.Entry) string {
	if e.Kind == driver.Dir {
		return e.Path + "/"
	}
	return e.Path
}
