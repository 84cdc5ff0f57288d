package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// A Bus carries messages between the processes of a cluster, at most once
// and in order for each sender while nothing breaks; whoever uses it deals
// with loss, repetition and disorder. Implementations are safe for
// concurrent use.
type Bus interface {
	// Publish sends data to the subscribers of subject. It may block for a
	// moment, not for an answer, and an error means that nothing was sent.
	Publish(subject string, data []byte) error
	// Subscribe calls fn for each message to subject, one at a time; a last
	// element "*" stands for any one. fn owns data. stop ends it; fn may
	// still run for a message that came before.
	Subscribe(subject string, fn func(subject string, data []byte)) (stop func(), err error)
	// Request sends data and waits for one answer.
	Request(ctx context.Context, subject string, data []byte) ([]byte, error)
	// Serve answers requests to subject, each on a goroutine of its own; nil
	// is no answer.
	Serve(subject string, fn func(ctx context.Context, data []byte) []byte) (stop func(), err error)
	// Close ends the connection and waits for what was sent to leave.
	Close()
}

// subjects makes the names of the subjects of one cluster.
type subjects string

// checkNamespace refuses names that do not fit a subject and a stream.
func checkNamespace(ns string) error {
	ok := ns != "" && len(ns) <= 64
	for _, r := range ns {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if !ok {
		return fault.New("namespace", ns, fault.Invalid, fmt.Errorf("use up to 64 letters, digits, - and _"))
	}
	return nil
}

func (s subjects) in(session string) string   { return "leat." + string(s) + ".in." + session }
func (s subjects) out(session string) string  { return "leat." + string(s) + ".out." + session }
func (s subjects) beat(session string) string { return "leat." + string(s) + ".hb." + session }
func (s subjects) leader() string             { return "leat." + string(s) + ".leader" }
func (s subjects) center() string             { return "leat." + string(s) + ".center" }
func (s subjects) worker(name string) string  { return "leat." + string(s) + ".worker." + token(name) }

// last returns the last element of a subject: the session.
func last(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// token writes a name as one element of a subject: bytes that mean something
// there become "=" and two hex digits.
func token(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}
