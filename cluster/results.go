package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// A Result is the outcome of one input, or of one batch.
type Result struct {
	// Index is the number of the first input, in the order of the listing.
	Index uint64
	// URL is the name of the first input; Count is how many there are, more
	// than one for a batch.
	URL   string
	Count int
	// Value is the result: what the command wrote, what the function
	// returned, or the URL written to. Nil if Problem is set.
	Value []byte
	// Problem says why the input failed, or is nil.
	Problem *sched.Problem
}

// fetchBytes and fetchKeys bound what is fetched ahead of the consumer.
const (
	fetchBytes = 16 << 20
	fetchKeys  = 64
)

// unreachableFor is how long a worker that could not be reached, in several
// tries, is not asked again: its values are given up at once instead of each
// after a wait.
const unreachableFor = 2 * time.Second

// Results yields the outcomes as they come, each input once, in no order. A
// value that its worker lost is not yielded; it is computed again and comes
// later. Outcomes are acknowledged as they are consumed: who consumes slowly
// slows the job. An error is the last pair and ends the job; breaking out
// does not, a further call goes on. A job with a reduce yields failures
// only. One goroutine at a time.
func (j *Job) Results() iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		for {
			d, err := j.next()
			if err != nil {
				yield(Result{}, err)
				return
			}
			if d == nil {
				return
			}
			if !j.handOn(d, yield) {
				return
			}
		}
	}
}

// handOn yields the rest of a delivery and acknowledges it. It returns false
// when the consumer broke out.
func (j *Job) handOn(d *sched.Deliver, yield func(Result, error) bool) bool {
	for j.at < len(d.Items)+len(d.Failed) {
		if j.ctx.Err() != nil {
			break // next says how it ends
		}
		i := j.at
		if i >= len(d.Items) {
			f := &d.Failed[i-len(d.Items)]
			j.count(f.Range.N)
			j.at++
			if !yield(Result{Index: f.Range.From, URL: string(f.Name), Count: int(f.Range.N), Problem: &f.Problem}, nil) {
				return false
			}
			continue
		}
		it := &d.Items[i]
		value, ok := it.Value, true
		if it.Key != "" {
			if value, ok = j.value(d, i); !ok {
				j.at++
				continue
			}
		}
		if value == nil {
			value = []byte{}
		}
		j.count(it.Range.N)
		j.at++
		if !yield(Result{Index: it.Range.From, URL: string(it.Name), Count: int(it.Range.N), Value: value}, nil) {
			return false
		}
	}
	j.acknowledge(d)
	return true
}

func (j *Job) count(n uint64) {
	j.mu.Lock()
	j.counted += n
	j.mu.Unlock()
}

// acknowledge lets the cluster drop a delivery.
func (j *Job) acknowledge(d *sched.Deliver) {
	j.mu.Lock()
	j.cur, j.vals = nil, nil
	j.taken = d.Num
	j.mu.Unlock()
	j.c.send(&sched.Input{Ack: &sched.Ack{Job: j.id, Upto: d.Num}})
}

// value returns the value of item i, fetching some of those behind it too.
// false means that it is lost, which the scheduler was told.
func (j *Job) value(d *sched.Deliver, i int) ([]byte, bool) {
	if v, ok := j.vals[i]; ok {
		delete(j.vals, i)
		return v, v != nil
	}
	var keys []string
	var index []int
	size := int64(0)
	for k := i; k < len(d.Items) && len(keys) < fetchKeys; k++ {
		it := &d.Items[k]
		if it.Key == "" {
			continue
		}
		if size += it.Size; len(keys) > 0 && size > fetchBytes {
			break
		}
		keys, index = append(keys, it.Key), append(index, k)
	}
	j.vals = make(map[int][]byte, len(keys))
	n := 0
	if time.Since(j.failedAt[d.Addr]) < unreachableFor {
		keys = nil
	}
	for v, err := range j.c.peers.GetMany(j.ctx, d.Addr, keys) {
		if n == len(index) {
			break
		}
		if err == nil && v == nil {
			v = []byte{}
		}
		if err != nil {
			v = nil
			j.lost(&d.Items[index[n]], err)
			if k := fault.KindOf(err); k == fault.Unavailable || k == fault.Timeout {
				j.failedAt[d.Addr] = time.Now()
			}
		}
		j.vals[index[n]] = v
		n++
	}
	for ; n < len(index); n++ {
		j.lost(&d.Items[index[n]], errors.New("the worker cannot be reached"))
		j.vals[index[n]] = nil
	}
	v := j.vals[i]
	delete(j.vals, i)
	return v, v != nil
}

// lost reports a value that could not be fetched. The job is not over then,
// even if it seemed so.
func (j *Job) lost(it *sched.Item, err error) {
	if j.ctx.Err() != nil {
		return // it was this side that broke off
	}
	j.c.opts.Log.Debug("result is lost", "job", j.id, "key", it.Key, "err", err)
	j.c.send(&sched.Input{FetchFailed: &sched.FetchFailed{Job: j.id, Range: it.Range, Key: it.Key}})
}

// A Summary is how a job ended.
type Summary struct {
	// Listed, OK and Failed count inputs.
	Listed, OK, Failed uint64
	// Redone counts inputs that were done again because a worker was lost,
	// Retried further tries of those that failed.
	Redone, Retried uint64
	// Result is what the reduce made, nil in a job without one or that did
	// not end well. The caller closes it.
	Result io.ReadCloser
	// Size is that of Result in bytes.
	Size int64
}

// Wait waits for the end of the job and lets go of it. Outcomes that were
// not taken from [Job.Results] are discarded. The error says why not all
// inputs were worked on: the job was cancelled, the listing failed, too many
// inputs did, or the reduce; single failed inputs are counted and are no
// error. When ctx ends first, the job is cancelled.
func (j *Job) Wait(ctx context.Context) (Summary, error) {
	stop := context.AfterFunc(ctx, func() { j.stop(context.Cause(ctx)) })
	defer stop()
	for {
		for _, err := range j.Results() {
			if err != nil {
				break // j.outcome tells it
			}
		}
		s, err := j.outcome()
		if err == nil && j.spec.Reduces() {
			var again bool
			if again, err = j.result(&s); again {
				continue
			}
		}
		j.end()
		return s, err
	}
}

// outcome returns the counts, and the error of a job that ended early.
func (j *Job) outcome() (Summary, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var s Summary
	d := j.done
	if d != nil {
		s = Summary{Listed: d.Listed, OK: d.OK, Failed: d.Failed, Redone: d.Redone, Retried: d.Retried}
	}
	switch {
	case j.err != nil:
		return s, j.err
	case j.canceled != nil:
		return s, j.canceled
	case d == nil:
		return s, fault.New("map", "", fault.Canceled, errors.New("the job is over"))
	case d.Err != nil:
		return s, fault.New("map", "", d.Err.Kind, errors.New(d.Err.Text))
	case d.Canceled:
		return s, fault.New("map", "", fault.Canceled, nil)
	}
	return s, nil
}

// result gets what the reduce made, all of it, before the workers may drop
// it. again says that it was lost and is made anew.
func (j *Job) result(s *Summary) (again bool, err error) {
	j.mu.Lock()
	d := j.done
	j.mu.Unlock()
	switch {
	case !d.Reduced:
		empty, err := work.EmptyResult(j.spec)
		s.Result, s.Size = io.NopCloser(bytes.NewReader(empty)), int64(len(empty))
		return false, err
	case d.Key == "" || d.Value != nil:
		s.Result, s.Size = io.NopCloser(bytes.NewReader(d.Value)), int64(len(d.Value))
		return false, nil
	}
	s.Result, s.Size, err = j.spool(d)
	if err == nil || fault.KindOf(err) == fault.NoSpace {
		return false, err
	}
	if j.ctx.Err() != nil {
		return false, fault.New("map", "", fault.Unknown, context.Cause(j.ctx))
	}
	j.mu.Lock()
	j.badKey = d.Key
	if j.done == d {
		j.done = nil
	}
	j.mu.Unlock()
	j.c.send(&sched.Input{FetchFailed: &sched.FetchFailed{Job: j.id, Key: d.Key}})
	return true, nil
}

// memoryResult is the largest result that is not put into a file.
const memoryResult = 4 << 20

// spool fetches a result into memory or an unnamed file.
func (j *Job) spool(d *sched.JobDone) (io.ReadCloser, int64, error) {
	body, err := j.c.peers.Fetch(j.ctx, d.Addr, d.Key)
	if err != nil {
		return nil, 0, err
	}
	defer body.Close()
	if body.Size() <= memoryResult {
		data, err := io.ReadAll(body)
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), err
	}
	f, err := os.CreateTemp("", "leat-result-")
	if err != nil {
		return nil, 0, fault.New("result", "", fault.NoSpace, err)
	}
	os.Remove(f.Name())
	n, err := io.Copy(f, body)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, n, nil
}
