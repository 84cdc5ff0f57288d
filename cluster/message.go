package cluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// message makes what travels of an effect: it fills in what the machine
// leaves to the log.
func (s *Scheduler) message(ctx context.Context, e *sched.Effect) (*message, error) {
	m := &message{Revoke: e.Revoke, Merge: e.Merge, Free: e.Free, JobEnd: e.JobEnd, Jobs: e.Jobs, Notice: e.Notice}
	var err error
	switch {
	case e.Lease != nil:
		m.Lease, err = s.lease(ctx, e.Lease)
	case e.Deliver != nil:
		m.Deliver, err = s.delivery(ctx, e.Deliver)
	case e.JobDone != nil:
		m.JobDone, err = s.jobDone(ctx, e.JobDone)
	}
	return m, err
}

// lease copies the names of a lease out of the records of its listing.
func (s *Scheduler) lease(ctx context.Context, l *sched.Lease) (*sched.Lease, error) {
	for _, seg := range l.Segments {
		in, err := s.cache.input(ctx, seg.Ref)
		if err != nil {
			return nil, err
		}
		if in.Listed == nil || seg.Skip+int(seg.Range.N) > in.Listed.Names.Len() {
			return nil, fault.New("read log", "", fault.Corrupt, fmt.Errorf("record %d does not list input %d", seg.Ref.Seq, seg.Range.From))
		}
		appendNames(&l.Names, &in.Listed.Names, seg.Skip, int(seg.Range.N))
	}
	l.Segments = nil
	return l, nil
}

// appendNames appends n names of src, from index skip on.
func appendNames(dst, src *sched.Names, skip, n int) {
	if n == 0 {
		return
	}
	begin := uint32(0)
	if skip > 0 {
		begin = src.Ends[skip-1]
	}
	shift := uint32(len(dst.Blob)) - begin
	dst.Blob = append(dst.Blob, src.Blob[begin:src.Ends[skip+n-1]]...)
	dst.Ends = slices.Grow(dst.Ends, n)
	for _, end := range src.Ends[skip : skip+n] {
		dst.Ends = append(dst.Ends, end+shift)
	}
	for len(dst.Sizes) < len(dst.Ends)-n {
		dst.Sizes = append(dst.Sizes, -1)
	}
	if len(src.Sizes) > 0 {
		dst.Sizes = append(dst.Sizes, src.Sizes[skip:skip+n]...)
		return
	}
	for range n {
		dst.Sizes = append(dst.Sizes, -1)
	}
}

// delivery fills in the results that count.
func (s *Scheduler) delivery(ctx context.Context, d *sched.Deliver) (*sched.Deliver, error) {
	in, err := s.cache.input(ctx, d.Ref)
	if err != nil {
		return nil, err
	}
	if in.Done == nil {
		return nil, fault.New("read log", "", fault.Corrupt, fmt.Errorf("record %d holds no report", d.Ref.Seq))
	}
	d.Items = filter(in.Done.Items, d.Accepted, func(it sched.Item) sched.Range { return it.Range })
	d.Failed = filter(in.Done.Failed, d.Accepted, func(f sched.Failure) sched.Range { return f.Range })
	return d, nil
}

// filter returns the elements whose range is in set; all itself when all
// are.
func filter[T any](all []T, set sched.Set, of func(T) sched.Range) []T {
	i := slices.IndexFunc(all, func(v T) bool { return !set.Contains(of(v)) })
	if i < 0 {
		return all
	}
	out := slices.Clone(all[:i])
	for _, v := range all[i:] {
		if set.Contains(of(v)) {
			out = append(out, v)
		}
	}
	return out
}

// jobDone fills in the result of a reduce that travelled inline.
func (s *Scheduler) jobDone(ctx context.Context, d *sched.JobDone) (*sched.JobDone, error) {
	if !d.Reduced {
		return d, nil
	}
	in, err := s.cache.input(ctx, d.Ref)
	if err != nil {
		return nil, err
	}
	if in.Merged == nil {
		return nil, fault.New("read log", "", fault.Corrupt, fmt.Errorf("record %d holds no result", d.Ref.Seq))
	}
	d.Value = in.Merged.Value
	return d, nil
}
