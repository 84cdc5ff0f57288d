package cluster

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/leat-dev/leat/fault"
)

// Op is a request of the ancestor's protocol, to the center or to a worker.
// It travels as CBOR, or as JSON when the first byte is "{"; the answer has
// the form of the request.
type Op struct {
	// Op is one of ping, register, unregister, who-has, list (center) and
	// ping, compute, get-data, put-data, del-data (worker).
	Op string `cbor:"op" json:"op"`
	// Key names the result of a compute.
	Key string `cbor:"key,omitempty" json:"key,omitempty"`
	// Keys are what the operation is about, Values go with them in put-data.
	Keys   []string `cbor:"keys,omitempty" json:"keys,omitempty"`
	Values [][]byte `cbor:"values,omitempty" json:"values,omitempty"`
	// Address is where a worker serves values, "host:port". Instance is
	// different each time a worker starts.
	Address  string `cbor:"address,omitempty" json:"address,omitempty"`
	Instance string `cbor:"instance,omitempty" json:"instance,omitempty"`
	// Reply asks for an answer, where there is none otherwise.
	Reply bool `cbor:"reply,omitempty" json:"reply,omitempty"`
	// Function is registered with [RegisterCompute]; an argument that equals
	// a key in Needed is replaced by its value.
	Function string            `cbor:"function,omitempty" json:"function,omitempty"`
	Args     [][]byte          `cbor:"args,omitempty" json:"args,omitempty"`
	Kwargs   map[string][]byte `cbor:"kwargs,omitempty" json:"kwargs,omitempty"`
	Needed   []string          `cbor:"needed,omitempty" json:"needed,omitempty"`
	// TimeoutMS bounds a compute in milliseconds; 0 means no bound.
	TimeoutMS int64 `cbor:"timeout_ms,omitempty" json:"timeout_ms,omitempty"`
	// Force lets del-data drop the last copy.
	Force bool `cbor:"force,omitempty" json:"force,omitempty"`
	// KeepLast makes unregister refuse keys that nobody else holds.
	KeepLast bool `cbor:"keep_last,omitempty" json:"keep_last,omitempty"`
}

// Answer is what an operation is answered with, where that is not the plain
// bytes "pong" or "OK", or a map (who-has: key to addresses; list: address
// to whether it lives).
type Answer struct {
	// Op is computation-finished, computation-failed, put-ack, del-ack, data,
	// unregister-ack or error.
	Op   string   `cbor:"op" json:"op"`
	Key  string   `cbor:"key,omitempty" json:"key,omitempty"`
	Keys []string `cbor:"keys,omitempty" json:"keys,omitempty"`
	// Data and Missing answer get-data.
	Data    map[string][]byte `cbor:"data,omitempty" json:"data,omitempty"`
	Missing []string          `cbor:"missing,omitempty" json:"missing,omitempty"`
	// Kind says why it failed: missing-input, user-error, timeout, cancelled,
	// worker-lost or bad-request. Origin is the worker that says so.
	Kind    string `cbor:"kind,omitempty" json:"kind,omitempty"`
	Message string `cbor:"message,omitempty" json:"message,omitempty"`
	Origin  string `cbor:"origin,omitempty" json:"origin,omitempty"`
}

// The words for kinds of failure in answers.
var opKinds = []struct {
	word string
	kind fault.Kind
}{
	{"missing-input", fault.MissingInput},
	{"user-error", fault.UserError},
	{"timeout", fault.Timeout},
	{"cancelled", fault.Canceled},
	{"worker-lost", fault.WorkerLost},
	{"bad-request", fault.Invalid},
}

func kindWord(err error) string {
	for _, k := range opKinds {
		if k.kind == fault.KindOf(err) {
			return k.word
		}
	}
	return "user-error"
}

// Err returns the failure that the answer tells, or nil.
func (a *Answer) Err() error {
	if a.Kind == "" {
		return nil
	}
	e := &fault.Error{Op: a.Op, Path: a.Key, Kind: fault.Unknown, Origin: a.Origin, Err: errors.New(a.Message)}
	for _, k := range opKinds {
		if k.word == a.Kind {
			e.Kind = k.kind
		}
	}
	return e
}

// failed makes the answer to an operation that failed.
func failed(op, key string, err error) *Answer {
	return &Answer{Op: op, Key: key, Kind: kindWord(err), Message: err.Error()}
}

func badRequest(format string, args ...any) *Answer {
	return &Answer{Op: "error", Kind: "bad-request", Message: fmt.Sprintf(format, args...)}
}

// readOp decodes a request; text says that it was JSON.
func readOp(data []byte) (op *Op, text bool, err error) {
	op = &Op{}
	if text = len(data) > 0 && data[0] == '{'; text {
		err = json.Unmarshal(data, op)
	} else {
		err = dec.Unmarshal(data, op)
	}
	if err != nil {
		err = fault.New("decode", "", fault.Invalid, err)
	}
	return op, text, err
}

// plain is an answer that travels as it is.
type plain string

// writeAnswer encodes an answer in the form of its request. nil stays nil.
func writeAnswer(v any, text bool) []byte {
	if v == nil {
		return nil
	}
	if p, ok := v.(plain); ok {
		return []byte(p)
	}
	if text {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // our own types
		}
		return b
	}
	return marshal(v)
}

// answerOp reads a request, has it answered, and encodes the answer. What
// cannot be read is answered too: a bad request never ends a server.
func answerOp(data []byte, serve func(*Op) any) []byte {
	op, text, err := readOp(data)
	if err != nil {
		return writeAnswer(badRequest("%v", err), text)
	}
	return writeAnswer(serve(op), text)
}
