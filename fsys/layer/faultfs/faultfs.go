package faultfs

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

// A Rule says what goes wrong and when. It must not be changed once it is in
// use.
type Rule struct {
	// Op is the operation; empty for any.
	Op string
	// Path is the exact path; empty for any. For a copy it is the source.
	Path string
	// Skip lets that many operations pass first; then Times of them are
	// struck, 0 for all.
	Skip, Times int
	// N is how many entries of a listing or bytes of a body or upload pass
	// before Err.
	N int64
	// Err is what goes wrong; nil injects the wait alone.
	Err error
	// Done lets a commit, remove or copy happen and only loses the answer.
	Done bool
	// Delay is waited before the operation.
	Delay time.Duration
}

// An FS is the layer. See [New].
type FS struct {
	drv driver.FS

	mu    sync.Mutex
	rules []*ruleState
	calls map[string]int
	steps int
}

type ruleState struct {
	*Rule
	seen int
}

// New returns drv with faults, and the layer itself, which counts and takes
// further rules. The first return value has the optional abilities of drv.
func New(drv driver.FS, rules ...*Rule) (driver.FS, *FS) {
	f := &FS{drv: drv, calls: map[string]int{}}
	f.Add(rules...)
	var c driver.Copier
	if below, ok := drv.(driver.Copier); ok {
		c = copier{f, below}
	}
	var b driver.BatchRemover
	if below, ok := drv.(driver.BatchRemover); ok {
		b = batchRemover{f, below}
	}
	l, _ := drv.(driver.LocalPather)
	return caps.With(f, c, b, l), f
}

// Add adds rules behind those there are. The first that strikes counts.
func (f *FS) Add(rules ...*Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		f.rules = append(f.rules, &ruleState{Rule: r})
	}
}

// Clear removes all rules.
func (f *FS) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Calls returns how often op was begun, or all operations together for "".
// A test that fails each step once skips 0, 1, … up to this number.
func (f *FS) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == "" {
		return f.steps
	}
	return f.calls[op]
}

// strike counts an operation and returns the rule that strikes it, after its
// wait, or nil.
func (f *FS) strike(ctx context.Context, op, path string) (*Rule, error) {
	r := f.pick(op, path)
	if r == nil || r.Delay <= 0 {
		return r, nil
	}
	t := time.NewTimer(r.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return r, nil
	case <-ctx.Done():
		return nil, fault.New(op, path, fault.KindOf(ctx.Err()), context.Cause(ctx))
	}
}

func (f *FS) pick(op, path string) *Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	f.steps++
	var hit *Rule
	for _, r := range f.rules {
		if r.Op != "" && r.Op != op || r.Path != "" && r.Path != path {
			continue
		}
		r.seen++
		if hit == nil && r.seen > r.Skip && (r.Times == 0 || r.seen <= r.Skip+r.Times) {
			hit = r.Rule
		}
	}
	return hit
}

// injected dresses a rule's error.
func injected(op, path string, r *Rule) error {
	return fault.New(op, path, fault.Unknown, r.Err)
}

// do runs one operation that has no stream.
func (f *FS) do(ctx context.Context, op, path string, call func() error) error {
	r, err := f.strike(ctx, op, path)
	switch {
	case err != nil:
		return err
	case r == nil || r.Err == nil:
		return call()
	case r.Done:
		if err := call(); err != nil {
			return err
		}
	}
	return injected(op, path, r)
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (e driver.Entry, err error) {
	err = f.do(ctx, "stat", path, func() error { e, err = f.drv.Stat(ctx, path); return err })
	return e, err
}

// List implements [driver.FS].
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		r, err := f.strike(ctx, "list", dir)
		if err != nil {
			yield(driver.Entry{}, err)
			return
		}
		var n int64
		for e, err := range f.drv.List(ctx, dir, opts) {
			if r != nil && r.Err != nil && n == r.N {
				yield(driver.Entry{}, injected("list", dir, r))
				return
			}
			if !yield(e, err) {
				return
			}
			n++
		}
		if r != nil && r.Err != nil && n == r.N {
			yield(driver.Entry{}, injected("list", dir, r))
		}
	}
}

// Remove implements [driver.FS].
func (f *FS) Remove(ctx context.Context, path string) error {
	return f.do(ctx, "remove", path, func() error { return f.drv.Remove(ctx, path) })
}

// Close implements [driver.FS].
func (f *FS) Close() error {
	return f.do(context.Background(), "close", "", f.drv.Close)
}

// copier is the layer's optional ability to copy.
type copier struct {
	f     *FS
	below driver.Copier
}

// Copy implements [driver.Copier].
func (c copier) Copy(ctx context.Context, src, dst string) (e driver.Entry, err error) {
	err = c.f.do(ctx, "copy", src, func() error { e, err = c.below.Copy(ctx, src, dst); return err })
	return e, err
}

// batchRemover is the layer's optional ability to remove many objects. Each
// path counts as one "remove".
type batchRemover struct {
	f     *FS
	below driver.BatchRemover
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements [driver.BatchRemover].
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	var send []string
	var at []int
	for i, p := range paths {
		r, err := b.f.strike(ctx, "remove", p)
		if err == nil && r != nil && r.Err != nil {
			err = injected("remove", p, r)
		}
		if errs[i] = err; err == nil || r != nil && r.Done {
			send, at = append(send, p), append(at, i)
		}
	}
	for j, err := range b.below.RemoveBatch(ctx, send) {
		if errs[at[j]] == nil {
			errs[at[j]] = err
		}
	}
	return errs
}
