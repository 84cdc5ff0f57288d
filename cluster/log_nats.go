package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/fault"
)

// natsLog is a [Log] in a JetStream stream.
type natsLog struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string
}

// Sizes of the log. It takes what the server grants, halving from the most
// to the least.
const (
	maxLogBytes = 8 << 30
	minLogBytes = 64 << 20
)

// JetStream error codes that nats.go has no name for.
const (
	codeStorageResources jetstream.ErrorCode = 10047
	codeStoreFailed      jetstream.ErrorCode = 10077
)

// openLog finds or makes the stream of a namespace.
func openLog(ctx context.Context, js jetstream.JetStream, ns string) (*natsLog, error) {
	name := "LEAT_" + ns + "_LOG"
	l := &natsLog{js: js, subject: "leat." + ns + ".log"}
	var err error
	if l.stream, err = js.Stream(ctx, name); err == nil {
		return l, nil
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fault.New("open log", name, fault.Unknown, err)
	}
	for size := int64(maxLogBytes); ; size /= 2 {
		l.stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{l.subject}, Description: "leat scheduler log",
			Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, MaxBytes: size,
			AllowDirect: true, DenyDelete: true, Duplicates: time.Second,
		})
		switch {
		case err == nil:
			return l, nil
		case !hasCode(err, codeStorageResources) || size/2 < minLogBytes:
			return nil, fault.New("open log", name, fault.Unknown, err)
		}
	}
}

func hasCode(err error, codes ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		for _, c := range codes {
			if api.ErrorCode == c {
				return true
			}
		}
	}
	return false
}

// Bounds implements Log.
func (l *natsLog) Bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, 0, fault.New("read log", l.subject, fault.Unknown, err)
	}
	if info.State.Msgs == 0 {
		return info.State.LastSeq + 1, info.State.LastSeq, nil
	}
	if n := info.State.LastSeq - info.State.FirstSeq + 1; n != info.State.Msgs {
		return 0, 0, fault.New("read log", l.subject, fault.Corrupt,
			fmt.Errorf("%d of %d records are missing", n-info.State.Msgs, n))
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// Append implements Log. An append without an answer is settled by looking
// at the end of the log: repeating it blindly would be refused as a second
// writer.
func (l *natsLog) Append(ctx context.Context, last uint64, record []byte) error {
	for {
		err := l.append(ctx, last, record)
		if err == nil || ctx.Err() != nil || errors.Is(err, errFenced) || fault.KindOf(err) == fault.NoSpace {
			return err
		}
		done, settled := l.settle(ctx, last, record)
		if done {
			return nil
		}
		if settled != nil {
			return settled
		}
		select { // nothing was written: the server is away or changing leaders
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (l *natsLog) append(ctx context.Context, last uint64, record []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := l.js.Publish(ctx, l.subject, record,
		jetstream.WithExpectLastSequence(last), jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		return nil
	case hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return errFenced
	case hasCode(err, codeStoreFailed):
		return fault.New("append to log", l.subject, fault.NoSpace,
			fmt.Errorf("%w; the log is bounded so that it never fills the disk: finish or cancel jobs, or give the server more room", err))
	}
	return fault.New("append to log", l.subject, fault.Unknown, err)
}

// settle finds out whether record is the one after last. Neither, without an
// error, means that nothing was written.
func (l *natsLog) settle(ctx context.Context, last uint64, record []byte) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, end, err := l.Bounds(ctx)
	switch {
	case err != nil || end == last:
		return false, nil
	case end > last+1:
		return false, errFenced
	}
	got, err := l.Read(ctx, last+1)
	if err != nil {
		return false, nil
	}
	if !bytes.Equal(got, record) {
		return false, errFenced
	}
	return true, nil
}

// Read implements Log.
func (l *natsLog) Read(ctx context.Context, seq uint64) ([]byte, error) {
	m, err := l.stream.GetMsg(ctx, seq)
	switch {
	case err == nil:
		return m.Data, nil
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, fault.New("read log", l.subject, fault.NotExist, err)
	}
	return nil, fault.New("read log", l.subject, fault.Unknown, err)
}

// Purge implements Log.
func (l *natsLog) Purge(ctx context.Context, seq uint64) error {
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(seq)); err != nil {
		return fault.New("purge log", l.subject, fault.Unknown, err)
	}
	return nil
}

// store is what a cluster keeps in a NATS server.
type store struct {
	log Log
	el  Elector
	reg Registry
}

// openStore opens the log, the leader key and the registry.
func openStore(ctx context.Context, nc *nats.Conn, bus Bus, names subjects) (*store, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	l, err := openLog(ctx, js, string(names))
	if err != nil {
		return nil, err
	}
	el, err := openElector(ctx, js, bus, names)
	if err != nil {
		return nil, err
	}
	return &store{log: l, el: el, reg: &natsRegistry{js: js, names: names}}, nil
}
