package work

import (
	"context"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
	"github.com/leat-dev/leat/task"
)

// fetchLimit is how many partials are on their way at once for one merge.
const fetchLimit = 4

// RunMerge folds partials, fetched from where they are, in the given order,
// and blocks until that is done. Partials that cannot be had are named in
// Missing, and then nothing is folded. The outcome of a final merge is the
// result of the job: inline, with an empty key, when it is small.
func (r *Runner) RunMerge(ctx context.Context, m *sched.Merge) *sched.Merged {
	out := &sched.Merged{Job: m.Job, Merge: m.ID}
	fail := func(err error) *sched.Merged {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		p := problem(err)
		out.Err = &p
		return out
	}
	p, err := r.plan(ctx, m.Spec)
	if err != nil {
		return fail(err)
	}
	parts := make([]partial, len(m.Sources))
	defer func() {
		for i := range parts {
			parts[i].close()
		}
	}()
	if err := r.fetchPartials(ctx, m.Sources, parts); err != nil {
		return fail(err)
	}
	for i, s := range m.Sources {
		if parts[i].err != nil {
			r.opts.Log.Debug("a partial is missing", "key", s.Key, "addr", s.Addr, "err", parts[i].err)
			out.Missing = append(out.Missing, s.Key)
		}
	}
	if out.Missing != nil {
		return out
	}
	o, err := r.mergeParts(ctx, p, parts, m.Final)
	if err != nil {
		return fail(err)
	}
	out.Partial = &sched.Partial{Key: o.key, Size: o.size}
	if o.key == "" {
		out.Value = o.value
		if out.Value == nil {
			out.Value = []byte{}
		}
	}
	return out
}

// A partial is one source of a merge: own is read from the store, the rest
// was fetched.
type partial struct {
	data spool
	own  io.ReadCloser
	err  error // it is missing
}

func (p *partial) open() (io.Reader, error) {
	if p.own != nil {
		return p.own, nil
	}
	return p.data.section(0, p.data.size)
}

func (p *partial) close() {
	if p.own != nil {
		p.own.Close()
	}
	p.data.Close()
}

// fetchPartials brings the sources here before any is folded: a fold cannot
// be undone.
func (r *Runner) fetchPartials(ctx context.Context, sources []sched.Source, parts []partial) error {
	err := task.Run(ctx, &task.Options{Name: "merge", Limit: fetchLimit}, func(g *task.Group) error {
		for i, s := range sources {
			g.Go("", func(ctx context.Context) error { return r.fetchPartial(ctx, s, &parts[i]) })
		}
		return nil
	})
	return firstError(err)
}

func (r *Runner) fetchPartial(ctx context.Context, s sched.Source, p *partial) error {
	p.data.dir = r.opts.TempDir
	err := func() error {
		if s.Addr == "" {
			own, err := r.opts.Store.Open(s.Key)
			if err == nil {
				p.own = own
			}
			return err
		}
		body, err := r.opts.Peers.Fetch(ctx, s.Addr, s.Key)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(&p.data, body)
		return err
	}()
	if err != nil && ctx.Err() != nil {
		return err
	}
	switch fault.KindOf(err) {
	case fault.None:
	case fault.NotExist, fault.Unavailable, fault.Timeout, fault.Changed, fault.Corrupt, fault.WorkerLost:
		p.err = err
	default: // trying again elsewhere would not help
		return err
	}
	return nil
}

func (r *Runner) mergeParts(ctx context.Context, p *plan, parts []partial, final bool) (outcome, error) {
	if err := r.slots.Acquire(ctx, 1); err != nil {
		return outcome{}, err
	}
	defer r.slots.Release(1)
	f, err := r.newFold(ctx, p.spec)
	if err != nil {
		return outcome{}, err
	}
	defer f.Close()
	for i := range parts {
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		in, err := parts[i].open()
		if err == nil {
			err = f.Merge(in)
		}
		if err != nil {
			return outcome{}, err
		}
	}
	if final {
		return r.keepOutput(r.newKey("p"), f.Final)
	}
	part, err := r.keepFold(f.Encode)
	if err != nil {
		return outcome{}, err
	}
	return outcome{key: part.Key, size: part.Size}, nil
}
