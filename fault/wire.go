package fault

import (
	"encoding/json"
	"errors"
	"time"
)

// wireError is the JSON form. Path is bytes, not text: names need not be
// UTF-8.
type wireError struct {
	Op         string `json:"op,omitempty"`
	Path       []byte `json:"path,omitempty"`
	Kind       Kind   `json:"kind"`
	Origin     string `json:"origin,omitempty"`
	RetryAfter int64  `json:"retry_after_ms,omitempty"`
	Text       string `json:"text,omitempty"`
}

// MarshalJSON returns the wire form: an object with op, path (base64 of its
// bytes), kind (number), origin, retry_after_ms and text, the message of the
// cause.
func (e *Error) MarshalJSON() ([]byte, error) {
	w := wireError{
		Op: e.Op, Path: []byte(e.Path), Kind: e.Kind, Origin: e.Origin,
		RetryAfter: e.RetryAfter.Milliseconds(),
	}
	if e.Err != nil {
		w.Text = e.Err.Error()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the wire form. The cause comes back as plain text; the
// kind still answers [errors.Is]. A kind of a newer version reads as
// [Unknown].
func (e *Error) UnmarshalJSON(data []byte) error {
	var w wireError
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	if int(w.Kind) >= len(kindNames) || w.Kind == None {
		w.Kind = Unknown
	}
	*e = Error{
		Op: w.Op, Path: string(w.Path), Kind: w.Kind, Origin: w.Origin,
		RetryAfter: time.Duration(w.RetryAfter) * time.Millisecond,
	}
	if w.Text != "" {
		e.Err = errors.New(w.Text)
	}
	return nil
}

// Wire returns err as an [Error] that can be marshalled: err itself when it
// is one, else an [Error] of its kind around it. It returns nil for nil.
// An origin is added where err has none.
func Wire(err error, origin string) *Error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		e = &Error{Kind: KindOf(err), Err: err}
		var inner *Error
		if errors.As(err, &inner) {
			e.RetryAfter, e.Origin = inner.RetryAfter, inner.Origin
		}
	}
	if e.Origin == "" && origin != "" {
		c := *e
		c.Origin = origin
		e = &c
	}
	return e
}
