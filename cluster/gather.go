package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// gather returns the values of keys: those that are here, and the rest from
// whoever has them, all at the same time.
func (h *holder) gather(ctx context.Context, keys []string) (map[string][]byte, error) {
	values := make(map[string][]byte, len(keys))
	var far []string
	for _, k := range keys {
		if v, err := h.store.Get(k); err == nil {
			values[k] = v
		} else if !slices.Contains(far, k) {
			far = append(far, k)
		}
	}
	if len(far) == 0 {
		return values, nil
	}
	holders, err := h.whoHas(ctx, far)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, k := range far {
		if len(holders[k]) == 0 {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		return nil, fault.New("compute", "", fault.MissingInput, fmt.Errorf("missing keys {%s}", strings.Join(missing, ", ")))
	}
	got := make([][]byte, len(far))
	err = task.Run(ctx, &task.Options{Name: "gather", Limit: 16}, func(g *task.Group) error {
		for i, k := range far {
			g.Go(k, func(ctx context.Context) (err error) {
				got[i], err = h.fetch(ctx, k, holders[k])
				return err
			})
		}
		return nil
	})
	if err != nil {
		var all task.Errors
		if errors.As(err, &all) && len(all) > 0 {
			return nil, all[0].Err
		}
		return nil, err
	}
	for i, k := range far {
		values[k] = got[i]
	}
	return values, nil
}

// fetch reads a value from one of its holders, in random order so that the
// load spreads. All unreachable means a lost worker; all without it, a
// missing input.
func (h *holder) fetch(ctx context.Context, key string, holders []string) ([]byte, error) {
	holders = slices.Clone(holders)
	rand.Shuffle(len(holders), func(i, j int) { holders[i], holders[j] = holders[j], holders[i] })
	kind := fault.MissingInput
	var last error
	for _, addr := range holders {
		v, err := h.peers.Get(ctx, addr, key)
		if err == nil {
			return v, nil
		}
		if fault.KindOf(err) != fault.NotExist {
			kind = fault.WorkerLost
		}
		last = err
	}
	return nil, fault.New("compute", key, kind, fmt.Errorf("none of %d holders gave it: %w", len(holders), last))
}

// ask sends an operation to the center and decodes its answer.
func (h *holder) ask(ctx context.Context, op *Op, answer any) error {
	data, err := h.bus.Request(ctx, h.names.center(), marshal(op))
	if err != nil {
		return err
	}
	return readAnswer(data, answer)
}

// readAnswer decodes an answer into v, unless it tells a failure; a nil v
// expects the plain "OK".
func readAnswer(data []byte, v any) error {
	if s := string(data); s == "OK" || s == "pong" {
		if v == nil {
			return nil
		}
		if _, isAnswer := v.(*Answer); isAnswer {
			return nil
		}
	}
	var a Answer
	if err := unmarshal(data, &a); err == nil && a.Err() != nil {
		return a.Err()
	}
	if v == nil {
		return fault.New("decode", "", fault.Corrupt, fmt.Errorf("an answer of %d bytes where OK was due", len(data)))
	}
	return unmarshal(data, v)
}

func (h *holder) whoHas(ctx context.Context, keys []string) (map[string][]string, error) {
	out := map[string][]string{}
	return out, h.ask(ctx, &Op{Op: "who-has", Keys: keys}, &out)
}

func (h *holder) register(ctx context.Context, keys []string) error {
	return h.ask(ctx, &Op{Op: "register", Address: h.address, Instance: h.instance, Keys: keys, Reply: true}, nil)
}
