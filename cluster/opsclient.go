package cluster

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// Ask sends an operation of the ancestor's protocol to the worker of that
// name, or to the center when it is empty, and decodes the answer into v: an
// [*Answer], or a map for who-has and list. A nil v expects "pong" or "OK".
// An operation that has no answer, because Reply is not set, waits until ctx
// ends. A failure that the answer tells is returned as an error.
func (c *Client) Ask(ctx context.Context, worker string, op *Op, v any) error {
	subject := c.names.center()
	if worker != "" {
		subject = c.names.worker(worker)
	}
	data, err := c.bus.Request(ctx, subject, marshal(op))
	if err != nil {
		return err
	}
	return readAnswer(data, v)
}

// WhoHas returns, for each of keys, the addresses of the workers that hold
// it.
func (c *Client) WhoHas(ctx context.Context, keys ...string) (map[string][]string, error) {
	out := map[string][]string{}
	return out, c.Ask(ctx, "", &Op{Op: "who-has", Keys: keys}, &out)
}

// List returns the addresses that ever registered, and whether each lives.
func (c *Client) List(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	return out, c.Ask(ctx, "", &Op{Op: "list"}, &out)
}

// Compute has a worker call a registered function and keep the result under
// op.Key. It returns nil when that is done and registered.
func (c *Client) Compute(ctx context.Context, worker string, op Op) error {
	op.Op = "compute"
	return c.Ask(ctx, worker, &op, &Answer{})
}

// GetData returns the values of keys that a worker holds, and the keys that
// it does not.
func (c *Client) GetData(ctx context.Context, worker string, keys ...string) (data map[string][]byte, missing []string, err error) {
	var a Answer
	if err := c.Ask(ctx, worker, &Op{Op: "get-data", Keys: keys}, &a); err != nil {
		return nil, nil, err
	}
	return a.Data, a.Missing, nil
}

// PutData has a worker keep a value. It returns when that is registered.
func (c *Client) PutData(ctx context.Context, worker, key string, value []byte) error {
	return c.Ask(ctx, worker, &Op{Op: "put-data", Keys: []string{key}, Values: [][]byte{value}, Reply: true}, &Answer{})
}

// DelData has a worker drop values; the last copy only with force.
func (c *Client) DelData(ctx context.Context, worker string, force bool, keys ...string) error {
	return c.Ask(ctx, worker, &Op{Op: "del-data", Keys: keys, Reply: true, Force: force}, &Answer{})
}

// Ping waits for the answer of a worker, or of the center when the name is
// empty.
func (c *Client) Ping(ctx context.Context, worker string) error {
	return c.Ask(ctx, worker, &Op{Op: "ping"}, nil)
}

// Progress returns how far the job is.
func (j *Job) Progress(ctx context.Context) (sched.Progress, error) {
	var p sched.Progress
	return p, j.c.Ask(ctx, "", &Op{Op: "progress", Key: j.id}, &p)
}

// Workers returns the workers that were there a moment ago, in the order
// they joined.
func (c *Client) Workers(ctx context.Context) ([]sched.Join, error) {
	if c.nc == nil {
		return nil, fault.New("workers", "", fault.Unsupported, errors.New("the bus has no registry"))
	}
	js, err := jetstream.New(c.nc)
	if err != nil {
		return nil, err
	}
	return (&natsRegistry{js: js, names: c.names}).Workers(ctx)
}
