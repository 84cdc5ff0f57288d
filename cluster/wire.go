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

// upFrame travels from a peer to the leader, on "in" with inputs, on "hb"
// without.
type upFrame struct {
	Version int `cbor:"1,keyasint"`
	// Epoch is the leader that the peer listens to, Got the number of the
	// last message it has from that leader.
	Epoch uint64 `cbor:"2,keyasint,omitempty"`
	Got   uint64 `cbor:"3,keyasint,omitempty"`
	// Acked is the number of the last input that a leader acknowledged.
	Acked uint64 `cbor:"4,keyasint,omitempty"`
	// First is the number of the first of Inputs.
	First  uint64            `cbor:"5,keyasint,omitempty"`
	Inputs []cbor.RawMessage `cbor:"6,keyasint,omitempty"`
}

// downFrame travels from the leader to a peer, on "out".
type downFrame struct {
	Version int    `cbor:"1,keyasint"`
	Epoch   uint64 `cbor:"2,keyasint"`
	// Acked is the number of the last input that is in the log.
	Acked uint64 `cbor:"3,keyasint,omitempty"`
	// First is the number of the first of Messages, counted from 1 for each
	// epoch and session.
	First    uint64            `cbor:"4,keyasint,omitempty"`
	Messages []cbor.RawMessage `cbor:"5,keyasint,omitempty"`
	// Reset ends the session, for Reason.
	Reset  bool   `cbor:"6,keyasint,omitempty"`
	Reason string `cbor:"7,keyasint,omitempty"`
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

// decodeInput reads and checks one input of a peer.
func decodeInput(raw []byte) (*sched.Input, error) {
	in := &sched.Input{}
	if err := unmarshal(raw, in); err != nil {
		return nil, err
	}
	if in.Listed != nil && (!in.Listed.Names.Valid() || in.Listed.Names.Len() != in.Listed.Count) {
		return nil, fault.New("decode", "", fault.Corrupt, fmt.Errorf("a listing of %d with %d names", in.Listed.Count, in.Listed.Names.Len()))
	}
	return in, nil
}

// problemOf puts an error into the form that travels.
func problemOf(err error) *sched.Problem {
	return &sched.Problem{Kind: fault.KindOf(err), Text: err.Error()}
}
