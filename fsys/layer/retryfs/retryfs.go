package retryfs

import (
	"context"
	"iter"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

// New returns drv with retries. Closing the result closes drv.
func New(drv driver.FS, opts *Options) driver.FS {
	var o Options
	if opts != nil {
		o = *opts
	}
	f := &layer{drv: drv, opts: o.withDefaults()}
	var c driver.Copier
	if below, ok := drv.(driver.Copier); ok {
		c = copier{f, below}
	}
	var b driver.BatchRemover
	if below, ok := drv.(driver.BatchRemover); ok {
		b = batchRemover{f, below}
	}
	l, _ := drv.(driver.LocalPather)
	return caps.With(f, c, b, l)
}

// layer implements driver.FS.
type layer struct {
	drv  driver.FS
	opts Options
}

// Stat implements driver.FS.
func (f *layer) Stat(ctx context.Context, path string) (e driver.Entry, err error) {
	err = f.opts.do(ctx, "stat", path, func(int) error { e, err = f.drv.Stat(ctx, path); return err })
	return e, err
}

// List implements driver.FS.
func (f *layer) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		s := f.opts.series("list", dir)
		for {
			broke, err := f.listOn(ctx, dir, &opts, &s, yield)
			if broke || err == nil {
				return
			}
			if err = s.again(ctx, err); err != nil {
				yield(driver.Entry{}, err)
				return
			}
		}
	}
}

// listOn lists until the end or an error and moves opts.After along. broke
// says that the consumer has left.
func (f *layer) listOn(ctx context.Context, dir string, opts *driver.ListOptions, s *series, yield func(driver.Entry, error) bool) (broke bool, err error) {
	for e, err := range f.drv.List(ctx, dir, *opts) {
		if err != nil {
			return false, err
		}
		key := e.Path
		if e.Kind == driver.Dir {
			key += "/"
		}
		if key <= opts.After {
			continue // given before the listing broke
		}
		opts.After = key
		s.progress()
		if !yield(e, nil) {
			return true, nil
		}
	}
	return false, nil
}

// Open implements driver.FS.
func (f *layer) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r := &reader{ctx: ctx, fs: f, path: path, opts: opts, series: f.opts.series("read", path)}
	err := f.opts.do(ctx, "open", path, func(int) (err error) { r.body, err = f.drv.Open(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	r.entry = r.body.Entry()
	return r, nil
}

// Create implements driver.FS.
func (f *layer) Create(ctx context.Context, path string, opts driver.CreateOptions) (w driver.Writer, err error) {
	err = f.opts.do(ctx, "create", path, func(int) error { w, err = f.drv.Create(ctx, path, opts); return err })
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Remove implements driver.FS.
func (f *layer) Remove(ctx context.Context, path string) error {
	return f.opts.do(ctx, "remove", path, func(failed int) error { return removed(failed, f.drv.Remove(ctx, path)) })
}

// removed takes absent for success when an earlier try failed: its answer
// may have got lost after the deed.
func removed(failed int, err error) error {
	if failed > 0 && fault.KindOf(err) == fault.NotExist {
		return nil
	}
	return err
}

// Close implements driver.FS.
func (f *layer) Close() error { return f.drv.Close() }

// copier is the layer's optional ability to copy.
type copier struct {
	f     *layer
	below driver.Copier
}

// Copy implements driver.Copier.
func (c copier) Copy(ctx context.Context, src, dst string) (e driver.Entry, err error) {
	err = c.f.opts.do(ctx, "copy", src, func(int) error { e, err = c.below.Copy(ctx, src, dst); return err })
	return e, err
}

// batchRemover is the layer's optional ability to remove many objects.
type batchRemover struct {
	f     *layer
	below driver.BatchRemover
}

// MaxRemoveBatch implements driver.BatchRemover.
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements driver.BatchRemover. Only the paths that failed for
// a passing reason are sent again.
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	left := make([]int, len(paths)) // the paths to send, as places in errs
	for i := range left {
		left[i] = i
	}
	s := b.f.opts.series("remove", "")
	for round := 0; ; round++ {
		before := len(left)
		worst := b.send(ctx, paths, &left, errs, round)
		if len(left) == 0 {
			return errs
		}
		if len(left) < before {
			s.progress()
		}
		s.path = paths[left[0]]
		if err := s.again(ctx, worst); err != nil {
			if ctx.Err() != nil {
				for _, i := range left {
					errs[i] = fault.New("remove", paths[i], fault.KindOf(ctx.Err()), context.Cause(ctx))
				}
			}
			return errs
		}
	}
}

// send removes the paths at left, fills in errs, reduces left to those worth
// another try and returns the error that asks for the longest wait.
func (b batchRemover) send(ctx context.Context, paths []string, left *[]int, errs []error, round int) (worst error) {
	batch := make([]string, len(*left))
	for j, i := range *left {
		batch[j] = paths[i]
	}
	again := (*left)[:0]
	for j, err := range b.below.RemoveBatch(ctx, batch) {
		i := (*left)[j]
		errs[i] = removed(round, err)
		if fault.KindOf(err).Temporary() {
			again = append(again, i)
			if worst == nil || askedFor(err) > askedFor(worst) {
				worst = err
			}
		}
	}
	*left = again
	return worst
}
