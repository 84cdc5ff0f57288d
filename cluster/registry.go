package cluster

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// A Registry shows who is there, for people and tools. Nothing is decided by
// it. It is safe for concurrent use.
type Registry interface {
	// Set makes ws the workers that are there.
	Set(ctx context.Context, ws []sched.Join) error
	// Workers returns what was set last.
	Workers(ctx context.Context) ([]sched.Join, error)
}

// natsRegistry is a [Registry] in a key-value bucket in the server's memory.
type natsRegistry struct {
	js    jetstream.JetStream
	names subjects
}

const workersKey = "workers"

func (r *natsRegistry) bucket() string { return "LEAT_" + string(r.names) + "_REG" }

// Set implements Registry.
func (r *natsRegistry) Set(ctx context.Context, ws []sched.Join) error {
	kv, err := r.js.KeyValue(ctx, r.bucket())
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = r.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: r.bucket(), Description: "leat workers, for display", MaxBytes: 16 << 20, Storage: jetstream.MemoryStorage,
		})
	}
	if err == nil {
		_, err = kv.Put(ctx, workersKey, marshal(ws))
	}
	if err != nil {
		return fault.New("set registry", r.bucket(), fault.Unknown, err)
	}
	return nil
}

// Workers implements Registry.
func (r *natsRegistry) Workers(ctx context.Context) ([]sched.Join, error) {
	kv, err := r.js.KeyValue(ctx, r.bucket())
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	var entry jetstream.KeyValueEntry
	if err == nil {
		entry, err = kv.Get(ctx, workersKey)
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New("read registry", r.bucket(), fault.Unknown, err)
	}
	var ws []sched.Join
	return ws, unmarshal(entry.Value(), &ws)
}
