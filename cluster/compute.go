package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
)

// ComputeFunc is a function that a compute operation can name. It runs on
// the worker, blocks one of its goroutines, and should end when ctx does. A
// panic is an error of the function.
type ComputeFunc func(ctx context.Context, args [][]byte, kwargs map[string][]byte) ([]byte, error)

var computes struct {
	sync.RWMutex
	funcs map[string]ComputeFunc
}

// RegisterCompute makes fn known under name to all workers of this process.
// A second registration of a name replaces the first. It is safe for
// concurrent use.
func RegisterCompute(name string, fn ComputeFunc) {
	computes.Lock()
	defer computes.Unlock()
	if computes.funcs == nil {
		computes.funcs = map[string]ComputeFunc{}
	}
	computes.funcs[name] = fn
}

func lookupCompute(name string) ComputeFunc {
	computes.RLock()
	defer computes.RUnlock()
	return computes.funcs[name]
}

// holder is a worker's side of the ancestor's protocol: it works without a
// scheduler's plan, on values that it or others hold.
type holder struct {
	bus      Bus
	names    subjects
	origin   string // name of the worker
	address  string
	instance string
	store    *peer.Store
	peers    *peer.Client
}

// serve answers one request.
func (h *holder) serve(ctx context.Context, data []byte) []byte {
	return answerOp(data, func(op *Op) any {
		a := h.do(ctx, op)
		if answer, ok := a.(*Answer); ok {
			answer.Origin = h.origin
		}
		return a
	})
}

func (h *holder) do(ctx context.Context, op *Op) any {
	switch op.Op {
	case "ping":
		return plain("pong")
	case "get-data":
		return h.getData(op)
	case "put-data":
		return h.putData(ctx, op)
	case "del-data":
		return h.delData(ctx, op)
	case "compute":
		return h.compute(ctx, op)
	}
	return badRequest("unknown operation %q", op.Op)
}

// getData answers with what is here and names what is not. Large values go
// over HTTP: they do not fit a message.
func (h *holder) getData(op *Op) any {
	a := &Answer{Op: "data", Data: map[string][]byte{}}
	size := 0
	for _, k := range op.Keys {
		if info, found := h.store.Stat(k); found && size+int(info.Size) > maxInputBytes {
			return badRequest("the values have more than %d bytes; fetch them one by one from http://%s", maxInputBytes, h.address)
		}
		v, err := h.store.Get(k)
		switch {
		case fault.KindOf(err) == fault.NotExist:
			a.Missing = append(a.Missing, k)
		case err != nil:
			return failed("error", k, err)
		default:
			a.Data[k] = v
			size += len(v)
		}
	}
	return a
}

// putData stores, registers, and only then acknowledges.
func (h *holder) putData(ctx context.Context, op *Op) any {
	if len(op.Keys) != len(op.Values) {
		return badRequest("put-data: %d keys and %d values", len(op.Keys), len(op.Values))
	}
	for i, k := range op.Keys {
		if err := h.store.Put(k, op.Values[i]); err != nil {
			return failed("error", k, err)
		}
	}
	if err := h.register(ctx, op.Keys); err != nil {
		return failed("error", "", err)
	}
	if !op.Reply {
		return nil
	}
	return &Answer{Op: "put-ack", Keys: op.Keys}
}

// delData drops values that somebody else holds too, or all with Force. Keys
// that are not here are dropped already.
func (h *holder) delData(ctx context.Context, op *Op) any {
	var here []string
	for _, k := range op.Keys {
		if _, found := h.store.Stat(k); found {
			here = append(here, k)
		}
	}
	a := &Answer{}
	if err := h.ask(ctx, &Op{Op: "unregister", Address: h.address, Instance: h.instance, Keys: here, KeepLast: !op.Force, Reply: true}, a); err != nil {
		return failed("error", "", err)
	}
	kept := map[string]bool{}
	for _, k := range a.Missing {
		kept[k] = true
	}
	for _, k := range here {
		if !kept[k] {
			h.store.Drop(k)
		}
	}
	switch {
	case len(kept) > 0:
		return badRequest("del-data: nobody else holds %q; set force to drop the last copy", a.Missing)
	case !op.Reply:
		return nil
	}
	return &Answer{Op: "del-ack", Keys: op.Keys}
}

// compute answers each request with exactly one of finished and failed.
func (h *holder) compute(ctx context.Context, op *Op) any {
	if op.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(op.TimeoutMS)*time.Millisecond)
		defer cancel()
	}
	err := h.computed(ctx, op)
	if err == nil {
		return &Answer{Op: "computation-finished", Key: op.Key}
	}
	if ctx.Err() != nil { // whatever came of it
		err = fault.New("", "", fault.KindOf(ctx.Err()), err)
	}
	return failed("computation-failed", op.Key, err)
}

func (h *holder) computed(ctx context.Context, op *Op) error {
	fn := lookupCompute(op.Function)
	switch {
	case op.Key == "":
		return fault.New("compute", "", fault.Invalid, errors.New("no key"))
	case fn == nil:
		return fault.New("compute", op.Function, fault.Invalid, errors.New("no such function is registered"))
	}
	values, err := h.gather(ctx, op.Needed)
	if err != nil {
		return err
	}
	args, kwargs := make([][]byte, len(op.Args)), map[string][]byte{}
	for i, a := range op.Args {
		args[i] = replace(values, a)
	}
	for k, a := range op.Kwargs {
		kwargs[k] = replace(values, a)
	}
	value, err := runCompute(ctx, fn, args, kwargs)
	if err != nil {
		return fault.New("compute", op.Function, fault.UserError, err)
	}
	if err := h.store.Put(op.Key, value); err != nil {
		return err
	}
	return h.register(ctx, []string{op.Key})
}

func replace(values map[string][]byte, arg []byte) []byte {
	if v, found := values[string(arg)]; found {
		return v
	}
	return arg
}

// runCompute calls fn and turns a panic into an error. It returns when ctx
// ends even if fn does not; what fn returns then is dropped.
func runCompute(ctx context.Context, fn ComputeFunc, args [][]byte, kwargs map[string][]byte) ([]byte, error) {
	type result struct {
		value []byte
		err   error
	}
	done := make(chan result, 1)
	// owner: fn, which was told to end with ctx.
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v", p)
			}
			done <- r
		}()
		r.value, r.err = fn(ctx, args, kwargs)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
