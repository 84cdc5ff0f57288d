package cluster

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// wireVersion is that of all frames and records; see docs/wire.md.
const wireVersion = 1

// Bounds of messages. The largest message of a server is 8 MiB; a frame is
// one input or more, and ends at the first that takes it over frameBytes.
const (
	maxInputBytes = 4 << 20
	frameBytes    = 512 << 10
)

// enc and dec are the one encoding of everything that leaves the process:
// deterministic, and strings as bytes, because names need not be UTF-8.
var enc, dec = codec()

func codec() (cbor.EncMode, cbor.DecMode) {
	e := cbor.CoreDetEncOptions()
	e.String = cbor.StringToByteString
	em, err := e.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	dm, err := cbor.DecOptions{
		ByteStringToString: cbor.ByteStringToStringAllowed,
		UTF8:               cbor.UTF8DecodeInvalid,
		IndefLength:        cbor.IndefLengthForbidden,
		MaxArrayElements:   1 << 22,
		MaxMapPairs:        1 << 16,
		MaxNestedLevels:    16,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return em, dm
}

// A frame is a CBOR sequence (RFC 8742): a header, then Count inputs or
// messages.

// upFrame is the header of what travels from a peer to the leader, on "in"
// with inputs, on "hb" without.
type upFrame struct {
	Version int `cbor:"1,keyasint"`
	// Epoch is the leader that the peer listens to, Got the number of the
	// last message it has from that leader.
	Epoch uint64 `cbor:"2,keyasint,omitempty"`
	Got   uint64 `cbor:"3,keyasint,omitempty"`
	// Acked is the number of the last input that a leader acknowledged.
	Acked uint64 `cbor:"4,keyasint,omitempty"`
	// First is the number of the first input.
	First uint64 `cbor:"5,keyasint,omitempty"`
	Count int    `cbor:"6,keyasint,omitempty"`
}

// downFrame is the header of what travels from the leader to a peer, on
// "out".
type downFrame struct {
	Version int    `cbor:"1,keyasint"`
	Epoch   uint64 `cbor:"2,keyasint"`
	// Acked is the number of the last input that is in the log.
	Acked uint64 `cbor:"3,keyasint,omitempty"`
	// First is the number of the first message, counted from 1 for each
	// epoch and session.
	First uint64 `cbor:"4,keyasint,omitempty"`
	Count int    `cbor:"5,keyasint,omitempty"`
	// Reset ends the session, for Reason.
	Reset  bool   `cbor:"6,keyasint,omitempty"`
	Reason string `cbor:"7,keyasint,omitempty"`
}

// frame returns a header with what follows it.
func frame(header any, items [][]byte) []byte {
	h := marshal(header)
	size := len(h)
	for _, raw := range items {
		size += len(raw)
	}
	b := append(make([]byte, 0, size), h...)
	for _, raw := range items {
		b = append(b, raw...)
	}
	return b
}

// wireInput is an input as it travels and as it stands in the log: the items
// of a report are packed.
type wireInput struct {
	sched.Input
	Items []byte `cbor:"40,keyasint,omitempty"`
}

// encodeInput returns the form of in that travels.
func encodeInput(in *sched.Input) []byte {
	w := wireInput{Input: *in}
	if in.Done != nil && len(in.Done.Items) > 0 {
		d := *in.Done
		d.Items = nil
		w.Done, w.Items = &d, packItems(in.Done.Items)
	}
	return marshal(&w)
}

// nextInput reads and checks the first input in data, and returns what it
// took of data.
func nextInput(data []byte) (in *sched.Input, raw []byte, err error) {
	w := &wireInput{}
	raw, err = next(data, w)
	if err != nil {
		return nil, nil, err
	}
	if w.Done != nil && len(w.Items) > 0 {
		if w.Done.Items, err = unpackItems(w.Items); err != nil {
			return nil, nil, err
		}
	}
	if l := w.Listed; l != nil && (!l.Names.Valid() || l.Names.Len() != l.Count) {
		return nil, nil, fault.New("decode", "", fault.Corrupt, fmt.Errorf("a listing of %d with %d names", l.Count, l.Names.Len()))
	}
	return &w.Input, raw, nil
}

// message is an effect on its way to a peer; exactly one pointer is set.
type message struct {
	Lease   *sched.Lease   `cbor:"1,keyasint,omitempty"`
	Revoke  *sched.Revoke  `cbor:"2,keyasint,omitempty"`
	Merge   *sched.Merge   `cbor:"3,keyasint,omitempty"`
	Free    *sched.Free    `cbor:"4,keyasint,omitempty"`
	JobEnd  *sched.JobEnd  `cbor:"5,keyasint,omitempty"`
	Jobs    *sched.Jobs    `cbor:"6,keyasint,omitempty"`
	Deliver *sched.Deliver `cbor:"7,keyasint,omitempty"`
	Notice  *sched.Notice  `cbor:"8,keyasint,omitempty"`
	JobDone *sched.JobDone `cbor:"9,keyasint,omitempty"`
	// Items are those of Deliver, packed.
	Items []byte `cbor:"40,keyasint,omitempty"`
}

// encodeMessage returns the form of m that travels.
func encodeMessage(m *message) []byte {
	if m.Deliver != nil && len(m.Deliver.Items) > 0 {
		c, d := *m, *m.Deliver
		c.Items, d.Items = packItems(d.Items), nil
		c.Deliver = &d
		m = &c
	}
	return marshal(m)
}

// nextMessage reads the first message in data, and returns what it took.
func nextMessage(data []byte) (m *message, raw []byte, err error) {
	m = &message{}
	if raw, err = next(data, m); err != nil {
		return nil, nil, err
	}
	if m.Deliver != nil && len(m.Items) > 0 {
		m.Deliver.Items, err = unpackItems(m.Items)
	}
	return m, raw, err
}

// next decodes the first item of a sequence, and returns what it took.
func next(data []byte, v any) (raw []byte, err error) {
	rest, err := dec.UnmarshalFirst(data, v)
	if err != nil {
		return nil, fault.New("decode", "", fault.Corrupt, err)
	}
	return data[:len(data)-len(rest)], nil
}

// skip passes over the first item of a sequence.
func skip(data []byte) (raw []byte, err error) {
	var r cbor.RawMessage
	return next(data, &r)
}

// beacon is the heartbeat of the leader, on "leader".
type beacon struct {
	Version int    `cbor:"1,keyasint"`
	Epoch   uint64 `cbor:"2,keyasint"`
	Name    string `cbor:"3,keyasint,omitempty"`
}

// marshal encodes what always can be encoded.
func marshal(v any) []byte {
	b, err := enc.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("cluster: encode %T: %v", v, err)) // our own types
	}
	return b
}

// unmarshal decodes what somebody sent.
func unmarshal(data []byte, v any) error {
	if err := dec.Unmarshal(data, v); err != nil {
		return fault.New("decode", "", fault.Corrupt, err)
	}
	return nil
}

// problemOf puts an error into the form that travels.
func problemOf(err error) *sched.Problem {
	return &sched.Problem{Kind: fault.KindOf(err), Text: err.Error()}
}
