package cluster

import (
	"context"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/sched"
)

// serveCenter answers operations on the table of who has what.
func (s *Scheduler) serveCenter(ctx context.Context, data []byte) []byte {
	return answerOp(data, func(op *Op) (answer any) {
		err := s.loop.Call(ctx, loop.Control, func() { answer = s.centerOp(op) })
		if err != nil {
			return failed("error", "", err)
		}
		return answer
	})
}

// centerOp carries out one operation. It runs on the loop.
func (s *Scheduler) centerOp(op *Op) any {
	switch op.Op {
	case "ping":
		return plain("pong")
	case "register":
		if op.Address == "" {
			return badRequest("register: no address")
		}
		s.center.Register(op.Address, op.Instance, op.Keys)
		return ok(op.Reply)
	case "unregister":
		return s.unregister(op)
	case "who-has":
		return s.center.WhoHas(op.Keys)
	case "list":
		return s.addresses()
	case "progress":
		if p, found := s.machine.Progress(op.Key); found {
			return &p
		}
		return badRequest("progress: no job %q", op.Key)
	}
	return badRequest("unknown operation %q", op.Op)
}

// ok answers only who asked for an answer.
func ok(reply bool) any {
	if !reply {
		return nil
	}
	return plain("OK")
}

// unregister forgets keys, with KeepLast only those that others hold too.
// An instance that was replaced meanwhile has nothing to unregister.
func (s *Scheduler) unregister(op *Op) any {
	keys, kept := op.Keys, []string(nil)
	if op.KeepLast {
		keys = nil
		for k, holders := range s.center.WhoHas(op.Keys) {
			if len(holders) == 1 && holders[0] == op.Address {
				kept = append(kept, k)
			} else {
				keys = append(keys, k)
			}
		}
	}
	s.center.Unregister(op.Address, keys)
	if op.KeepLast {
		return &Answer{Op: "unregister-ack", Keys: keys, Missing: kept}
	}
	return ok(op.Reply)
}

// addresses returns who ever registered, and whether it lives.
func (s *Scheduler) addresses() map[string]bool {
	live := map[string]bool{}
	for _, j := range s.joins {
		live[j.Addr] = true
	}
	out := map[string]bool{}
	for _, a := range s.center.List() {
		out[a] = live[a]
	}
	return out
}

// holderLost forgets what a lost worker held; its address stays listed.
func (s *Scheduler) holderLost(session string, j *sched.Join) {
	for _, a := range s.center.List() {
		if a == j.Addr {
			s.center.Register(a, "after "+session, nil)
		}
	}
}
