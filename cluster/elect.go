package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/fault"
)

// An Elector decides who leads. It is safe for concurrent use.
type Elector interface {
	// Campaign blocks until the caller leads and returns its epoch, which is
	// greater than all before.
	Campaign(ctx context.Context, name string) (epoch uint64, err error)
	// Resign lets the next one lead at once.
	Resign(ctx context.Context, epoch uint64) error
}

// leaderKey is the value of the key; its revision is the epoch.
type leaderKey struct {
	Name string `cbor:"1,keyasint"`
	// Released says that the leader resigned.
	Released bool `cbor:"2,keyasint,omitempty"`
}

// natsElector is an [Elector] by compare-and-set on a key and by the silence
// of the last leader. The key alone never expires: no clock but that of who
// listens is asked.
type natsElector struct {
	kv    jetstream.KeyValue
	bus   Bus
	names subjects
	quiet time.Duration
}

// leaderQuiet is how long the last leader must be silent before another one
// takes over: three of its heartbeats.
const leaderQuiet = 600 * time.Millisecond

func openElector(ctx context.Context, js jetstream.JetStream, bus Bus, names subjects) (*natsElector, error) {
	bucket := "LEAT_" + string(names) + "_CTL"
	kv, err := js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, Description: "leat leader", History: 5, MaxBytes: 1 << 20, Storage: jetstream.FileStorage,
		})
	}
	if err != nil {
		return nil, fault.New("open leader key", bucket, fault.Unknown, err)
	}
	return &natsElector{kv: kv, bus: bus, names: names, quiet: leaderQuiet}, nil
}

// Campaign implements Elector.
func (e *natsElector) Campaign(ctx context.Context, name string) (uint64, error) {
	heard := make(chan struct{}, 1)
	stop, err := e.bus.Subscribe(e.names.leader(), func(string, []byte) {
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return 0, err
	}
	defer stop()
	for {
		old, free, err := e.look(ctx)
		if err != nil {
			return 0, err
		}
		if !free {
			if err := silence(ctx, heard, e.quiet); err != nil {
				return 0, err
			}
		}
		epoch, err := e.claim(ctx, name, old)
		if err == nil || !hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
			return epoch, err
		}
	}
}

// look returns the revision of the key, and whether nobody holds it.
func (e *natsElector) look(ctx context.Context) (rev uint64, free bool, err error) {
	entry, err := e.kv.Get(ctx, "leader")
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, fault.New("read leader key", "", fault.Unknown, err)
	}
	var k leaderKey
	if err := unmarshal(entry.Value(), &k); err != nil {
		return 0, false, err
	}
	return entry.Revision(), k.Released, nil
}

// silence waits until nothing was heard for as long as quiet.
func silence(ctx context.Context, heard <-chan struct{}, quiet time.Duration) error {
	t := time.NewTimer(quiet)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-heard:
			t.Reset(quiet)
		case <-t.C:
			return nil
		}
	}
}

// claim sets the key if it is still at revision old.
func (e *natsElector) claim(ctx context.Context, name string, old uint64) (uint64, error) {
	return e.kv.Update(ctx, "leader", marshal(&leaderKey{Name: name}), old)
}

// Resign implements Elector.
func (e *natsElector) Resign(ctx context.Context, epoch uint64) error {
	_, err := e.kv.Update(ctx, "leader", marshal(&leaderKey{Released: true}), epoch)
	if err != nil {
		return fault.New("resign", "", fault.Unknown, fmt.Errorf("epoch %d: %w", epoch, err))
	}
	return nil
}
