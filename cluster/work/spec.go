package work

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/leat-dev/leat/fault"
)

// A Spec says what a job does to its inputs. It is a value; the field
// numbers are a wire format and are never reused.
type Spec struct {
	// Inputs are URL patterns of the objects, absolute.
	Inputs []string `cbor:"1,keyasint,omitempty"`
	// Func names a registered function; Command is the argument template of
	// a command. Exactly one of them is set.
	Func    string   `cbor:"2,keyasint,omitempty"`
	Command []string `cbor:"3,keyasint,omitempty"`
	// Dir is where commands run; empty means where the worker runs.
	Dir string `cbor:"4,keyasint,omitempty"`
	// Env is added to the environment of the worker, as "NAME=value".
	Env []string `cbor:"5,keyasint,omitempty"`
	// Batch is how many inputs one process gets; 0 means 1.
	Batch int `cbor:"6,keyasint,omitempty"`
	// Timeout bounds the work on one input, or on one batch; 0 means none.
	Timeout time.Duration `cbor:"7,keyasint,omitempty"`
	// Out is the URL template of the objects that results are written to;
	// empty means that results travel to the client.
	Out string `cbor:"8,keyasint,omitempty"`
	// Reduce names a reducer, with parameters after ":" ("top:20").
	Reduce string `cbor:"9,keyasint,omitempty"`
	// ReduceCommand is a command line that folds results, run by "sh -c".
	ReduceCommand string `cbor:"10,keyasint,omitempty"`
}

// cborModes returns the codec: strings travel as byte strings, because names
// need not be UTF-8.
var cborModes = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, String: cbor.StringToByteString}.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	dec, err := cbor.DecOptions{
		ByteStringToString: cbor.ByteStringToStringAllowed, DupMapKey: cbor.DupMapKeyEnforcedAPF,
		IndefLength: cbor.IndefLengthForbidden, MaxArrayElements: 1 << 20,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
})

// Encode returns the form that travels.
func (s *Spec) Encode() ([]byte, error) {
	enc, _ := cborModes()
	data, err := enc.Marshal(s)
	if err != nil {
		return nil, fault.New("encode spec", "", fault.Invalid, err)
	}
	return data, nil
}

// Decode reads what [Spec.Encode] returned.
func Decode(data []byte) (*Spec, error) {
	_, dec := cborModes()
	s := &Spec{}
	if err := dec.Unmarshal(data, s); err != nil {
		return nil, fault.New("decode spec", "", fault.Invalid, err)
	}
	return s, nil
}

// Reduces reports whether results are folded instead of delivered.
func (s *Spec) Reduces() bool { return s.Reduce != "" || s.ReduceCommand != "" }

// Validate reports what cannot be right about the spec, with kind Invalid.
// Whether the function exists is for the workers to say.
func (s *Spec) Validate() error {
	for _, check := range []func() error{s.checkTask, s.checkNumbers, s.checkStrings, s.checkReduce, s.checkOut} {
		if err := check(); err != nil {
			return fault.New("map", "", fault.Invalid, err)
		}
	}
	return nil
}

func (s *Spec) checkTask() error {
	switch {
	case len(s.Inputs) == 0:
		return errors.New("no inputs; name at least one object or pattern")
	case s.Func == "" && len(s.Command) == 0:
		return errors.New("nothing to do; give a command or a function")
	case s.Func != "" && len(s.Command) > 0:
		return errors.New("give a command or a function, not both")
	case len(s.Command) > 0 && s.Command[0] == "":
		return errors.New("the command has an empty name")
	}
	for _, in := range s.Inputs {
		if in == "" {
			return errors.New("an input is empty")
		}
	}
	return nil
}

func (s *Spec) checkNumbers() error {
	switch {
	case s.Batch < 0:
		return fmt.Errorf("batch %d: want 1 or more inputs a process", s.Batch)
	case s.Batch > 1 && s.Func != "":
		return errors.New("a function gets one input at a time; batch is for commands")
	case s.Timeout < 0:
		return fmt.Errorf("timeout %v: want a positive time, or 0 for none", s.Timeout)
	}
	return nil
}

func (s *Spec) checkStrings() error {
	for _, e := range s.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("environment %q: want NAME=value", e)
		}
	}
	for _, list := range [][]string{s.Command, s.Env, {s.Dir, s.ReduceCommand}} {
		for _, a := range list {
			if strings.ContainsRune(a, 0) {
				return fmt.Errorf("%q: a zero byte cannot be passed to a process", a)
			}
		}
	}
	return nil
}

func (s *Spec) checkReduce() error {
	if s.Reduce != "" && s.ReduceCommand != "" {
		return errors.New("give a reducer or a reduce command, not both")
	}
	if s.Reduce == "" {
		return nil
	}
	_, err := LookupReducer(s.Reduce)
	return err
}

func (s *Spec) checkOut() error {
	switch {
	case s.Out == "":
		return nil
	case s.Reduces():
		return errors.New("an output template and a reduce exclude each other: either each result is an object, or all are folded")
	case s.Batch > 1 && !strings.Contains(s.Out, "{index}"):
		return errors.New("the output template of a batch needs {index}, because a batch has many names")
	}
	return ValidateOut(s.Out, s.Inputs)
}
