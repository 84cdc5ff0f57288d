package sched

// An Effect is something the host has to do. Exactly one of the pointers is
// set. To is the session of the peer that gets it; empty for the host.
type Effect struct {
	To string

	Lease   *Lease
	Revoke  *Revoke
	Merge   *Merge
	Free    *Free
	JobEnd  *JobEnd
	Jobs    *Jobs
	Reset   *Reset
	Deliver *Deliver
	Notice  *Notice
	JobDone *JobDone
	Expand  *Expand
	Compact *Compact
}

// Lease gives a worker inputs. The host adds the names and, when First, the
// spec of the job.
type Lease struct {
	Job   string `cbor:"1,keyasint"`
	ID    uint64 `cbor:"2,keyasint"`
	Set   Set    `cbor:"3,keyasint"`
	First bool   `cbor:"4,keyasint,omitempty"`
	// Names and Spec are filled in by the host; the names are in the order
	// of Set.
	Names Names  `cbor:"5,keyasint"`
	Spec  []byte `cbor:"6,keyasint,omitempty"`
	// Reduce, Batch as in [Submit].
	Reduce bool `cbor:"7,keyasint,omitempty"`
	Batch  int  `cbor:"8,keyasint,omitempty"`
	// Segments says where the names are; the host reads it and clears it.
	Segments []Segment `cbor:"-"`
}

// A Segment says that the names of Range are in the log at Ref, beginning
// with name Skip of that input.
type Segment struct {
	Range Range
	Ref   Ref
	Skip  int
}

// Revoke takes a lease back. The worker stops what runs of it, and answers
// with a final [Done].
type Revoke struct {
	Job   string `cbor:"1,keyasint"`
	Lease uint64 `cbor:"2,keyasint"`
}

// Merge orders a fold of partials into a new one.
type Merge struct {
	Job     string   `cbor:"1,keyasint"`
	ID      uint64   `cbor:"2,keyasint"`
	Sources []Source `cbor:"3,keyasint"`
	// Final asks for the result of the job, not for another partial.
	Final bool   `cbor:"4,keyasint,omitempty"`
	First bool   `cbor:"5,keyasint,omitempty"`
	Spec  []byte `cbor:"6,keyasint,omitempty"`
}

// A Source is a partial and where it is; Addr is empty for the worker itself.
type Source struct {
	Key  string `cbor:"1,keyasint"`
	Addr string `cbor:"2,keyasint,omitempty"`
	Size int64  `cbor:"3,keyasint"`
}

// Free lets a worker drop what it holds.
type Free struct {
	Job  string   `cbor:"1,keyasint"`
	Keys []string `cbor:"2,keyasint"`
}

// JobEnd lets a worker drop everything of a job.
type JobEnd struct {
	Job string `cbor:"1,keyasint"`
}

// Jobs tells a worker which jobs are live; it drops all others. It is sent
// when a new leader took over, since a [JobEnd] may have been lost with the
// old one.
type Jobs struct {
	Live []string `cbor:"1,keyasint"`
}

// Reset tells a peer that its session is over: it must drop everything,
// stop what runs, and begin a new one.
type Reset struct{}

// Deliver brings results to the client.
type Deliver struct {
	Job string `cbor:"1,keyasint"`
	// Num numbers the deliveries of a job from 1.
	Num uint64 `cbor:"2,keyasint"`
	// Ref is the [Done] that brought them; Accepted says which inputs of it
	// count. The host fills in Items and Failed by them.
	Ref      Ref `cbor:"-"`
	Accepted Set `cbor:"-"`
	// Addr is the worker that holds what does not travel inline.
	Addr  string `cbor:"3,keyasint,omitempty"`
	Items []Item `cbor:"4,keyasint,omitempty"`
	// Failed may hold failures that the machine itself decided; they have no
	// name, Segments says in the same order where to find it.
	Failed   []Failure `cbor:"5,keyasint,omitempty"`
	Segments []Segment `cbor:"-"`
}

// Notice tells the client what was lost and is done again.
type Notice struct {
	Job    string `cbor:"1,keyasint"`
	Worker string `cbor:"2,keyasint"`
	// Left tells a worker that said goodbye from one that fell silent.
	Left bool `cbor:"3,keyasint,omitempty"`
	// Running is how many leased inputs, Folded how many inputs inside
	// partials, Results how many undelivered results are done again.
	Running uint64 `cbor:"4,keyasint,omitempty"`
	Folded  uint64 `cbor:"5,keyasint,omitempty"`
	Results uint64 `cbor:"6,keyasint,omitempty"`
}

// JobDone tells the client how the job ended. It is sent until [Forget].
type JobDone struct {
	Job string `cbor:"1,keyasint"`
	// Listed, OK and Failed count inputs.
	Listed uint64 `cbor:"2,keyasint"`
	OK     uint64 `cbor:"3,keyasint"`
	Failed uint64 `cbor:"4,keyasint"`
	// Redone counts inputs that were handed out again because a worker or a
	// partial was lost; Retried counts further tries of failed ones.
	Redone  uint64 `cbor:"5,keyasint,omitempty"`
	Retried uint64 `cbor:"6,keyasint,omitempty"`
	// Canceled, or Err, say why not all inputs were done.
	Canceled bool     `cbor:"7,keyasint,omitempty"`
	Err      *Problem `cbor:"8,keyasint,omitempty"`
	// Deliveries is the number of the last delivery: the client has all
	// when it has that.
	Deliveries uint64 `cbor:"9,keyasint,omitempty"`
	// Result of the reduce: Value when inline, else Key at Addr. Reduced is
	// false when no input succeeded, so that there is none.
	Reduced bool   `cbor:"10,keyasint,omitempty"`
	Value   []byte `cbor:"11,keyasint,omitempty"`
	Key     string `cbor:"12,keyasint,omitempty"`
	Addr    string `cbor:"13,keyasint,omitempty"`
	Size    int64  `cbor:"14,keyasint,omitempty"`
	// Ref is the final [Merged]; the host fills in Value by it.
	Ref Ref `cbor:"-"`
}

// Expand lets the listing of a job go on until Upto inputs are listed. Spec
// is set the first time.
type Expand struct {
	Job  string
	Upto uint64
	Spec []byte
	// Stop ends the listing.
	Stop bool
	// From is how many inputs the log has already; a listing that begins
	// anew skips them.
	From uint64
	// Last is where the last listed input is, if From > 0: the listing goes
	// on behind that name.
	Last Segment
}

// Compact says that no job is left, so that [Machine.Snapshot] can stand for
// the log so far.
type Compact struct{}
