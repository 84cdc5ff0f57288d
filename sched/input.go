package sched

import "github.com/leat-dev/leat/fault"

// An Input is something that happened. Exactly one of the pointers is set.
// Inputs are what the log keeps; their field numbers are a wire format, so
// they are appended to and never reused.
type Input struct {
	// From is the session of the sender; empty for the scheduler's own host.
	From string `cbor:"1,keyasint,omitempty"`
	// Num numbers the inputs of a session from 1 without gaps. An input that
	// is not the next one is refused, so resending is harmless. 0 for inputs
	// of the host.
	Num uint64 `cbor:"2,keyasint,omitempty"`
	// At is the host's monotonic clock in nanoseconds when it took the input.
	At int64 `cbor:"3,keyasint,omitempty"`
	// Ref says where in the log the input is; the host sets it.
	Ref Ref `cbor:"-"`

	Epoch       *Epoch       `cbor:"10,keyasint,omitempty"`
	Join        *Join        `cbor:"11,keyasint,omitempty"`
	Hello       *Hello       `cbor:"12,keyasint,omitempty"`
	Lost        *Lost        `cbor:"13,keyasint,omitempty"`
	Submit      *Submit      `cbor:"14,keyasint,omitempty"`
	Listed      *Listed      `cbor:"15,keyasint,omitempty"`
	Done        *Done        `cbor:"16,keyasint,omitempty"`
	Merged      *Merged      `cbor:"17,keyasint,omitempty"`
	Ack         *Ack         `cbor:"18,keyasint,omitempty"`
	Cancel      *Cancel      `cbor:"19,keyasint,omitempty"`
	FetchFailed *FetchFailed `cbor:"20,keyasint,omitempty"`
	Forget      *Forget      `cbor:"21,keyasint,omitempty"`
	Restore     *Restore     `cbor:"22,keyasint,omitempty"`
}

// A Ref names an input in the log: the record and the place inside it.
type Ref struct {
	Seq uint64
	Pos uint32
}

// Epoch says that a new leader took over. Everything that was decided and is
// not known to have arrived is sent again.
type Epoch struct {
	Epoch uint64 `cbor:"1,keyasint"`
}

// Join makes the sender a worker.
type Join struct {
	// Name is for people.
	Name string `cbor:"1,keyasint"`
	// Addr is where peers fetch what the worker holds: "host:port".
	Addr string `cbor:"2,keyasint"`
	// Slots is how many commands or computing functions run at once.
	Slots int `cbor:"3,keyasint"`
	// Width is how many inputs of a function may be in flight, most of them
	// waiting for bytes. At least Slots.
	Width int `cbor:"4,keyasint"`
	// Funcs names the registered functions.
	Funcs []string `cbor:"5,keyasint,omitempty"`
	// Host and PID say where it runs, for people.
	Host string `cbor:"6,keyasint,omitempty"`
	PID  int    `cbor:"7,keyasint,omitempty"`
	// Exec says that the worker runs commands.
	Exec bool `cbor:"8,keyasint,omitempty"`
}

// Hello makes the sender a client.
type Hello struct {
	Name string `cbor:"1,keyasint,omitempty"`
}

// Lost ends a session: the host heard nothing of it for too long, or it said
// goodbye.
type Lost struct {
	Session string `cbor:"1,keyasint"`
	// Left tells a goodbye from a silence.
	Left bool `cbor:"2,keyasint,omitempty"`
}

// Submit makes a job. The sender is its client and is told of its results.
type Submit struct {
	// Job is unique; a second Submit of the same name is ignored.
	Job string `cbor:"1,keyasint"`
	// Spec says what to do, in a form only the workers read.
	Spec []byte `cbor:"2,keyasint"`
	// Func is the registered function that the workers need; empty means a
	// command.
	Func string `cbor:"3,keyasint,omitempty"`
	// Reduce folds the results instead of delivering them.
	Reduce bool `cbor:"4,keyasint,omitempty"`
	// Retries is how many more tries a failed input gets.
	Retries int `cbor:"5,keyasint,omitempty"`
	// MaxErrors ends the job when more inputs than that have failed; negative
	// means no bound.
	MaxErrors int64 `cbor:"6,keyasint"`
	// Batch is how many inputs one process gets; 0 means 1.
	Batch int `cbor:"7,keyasint,omitempty"`
}

// Listed brings further inputs of a job. Their numbers follow on.
type Listed struct {
	Job   string `cbor:"1,keyasint"`
	Count int    `cbor:"2,keyasint"`
	// Names is not looked at by the machine; the host finds it by [Ref].
	Names Names `cbor:"3,keyasint"`
	// EOF says that the listing is complete.
	EOF bool `cbor:"4,keyasint,omitempty"`
	// Err ends the job: the listing broke off.
	Err *Problem `cbor:"5,keyasint,omitempty"`
}

// Done reports on a lease, once or several times.
type Done struct {
	Job   string `cbor:"1,keyasint"`
	Lease uint64 `cbor:"2,keyasint"`
	// Items are the inputs that succeeded. In a job with a reduce they are
	// inside Partial.
	Items []Item `cbor:"3,keyasint,omitempty"`
	// Failed are the inputs that did not.
	Failed []Failure `cbor:"4,keyasint,omitempty"`
	// Final says that the worker has let go of the lease.
	Final bool `cbor:"5,keyasint,omitempty"`
	// Partial holds the fold of Items; set in the final report of a job with
	// a reduce, unless Items is empty.
	Partial *Partial `cbor:"6,keyasint,omitempty"`
	// FoldErr ends the job: the reduce itself failed.
	FoldErr *Problem `cbor:"7,keyasint,omitempty"`
}

// An Item is a result. Range is more than one number for a batch.
type Item struct {
	Range Range `cbor:"1,keyasint"`
	// Name is that of the first input.
	Name []byte `cbor:"2,keyasint,omitempty"`
	// Value is the result when it travels inline.
	Value []byte `cbor:"3,keyasint,omitempty"`
	// Key is where the worker keeps it otherwise.
	Key string `cbor:"4,keyasint,omitempty"`
	// Size is that of the result in bytes.
	Size int64 `cbor:"5,keyasint,omitempty"`
}

// A Failure is an input that failed.
type Failure struct {
	Range Range  `cbor:"1,keyasint"`
	Name  []byte `cbor:"2,keyasint,omitempty"`
	// Problem says why.
	Problem Problem `cbor:"3,keyasint"`
}

// A Problem is what went wrong, for people and for exit codes.
type Problem struct {
	Kind fault.Kind `cbor:"1,keyasint"`
	Text string     `cbor:"2,keyasint"`
	// Exit is the exit code of a command, -1 when a signal ended it.
	Exit int `cbor:"3,keyasint,omitempty"`
	// Stderr is the tail of what the command wrote there.
	Stderr []byte `cbor:"4,keyasint,omitempty"`
}

// A Partial is a fold of some inputs that a worker holds.
type Partial struct {
	// Key names it among all partials of all workers.
	Key string `cbor:"1,keyasint"`
	// Size is in bytes.
	Size int64 `cbor:"2,keyasint"`
}

// Merged reports on a [Merge].
type Merged struct {
	Job   string `cbor:"1,keyasint"`
	Merge uint64 `cbor:"2,keyasint"`
	// Partial is the outcome; for a final merge the result of the job.
	Partial *Partial `cbor:"3,keyasint,omitempty"`
	// Value is the result of a final merge when it travels inline.
	Value []byte `cbor:"4,keyasint,omitempty"`
	// Missing names the sources that could not be had.
	Missing []string `cbor:"5,keyasint,omitempty"`
	// Err ends the job: the reduce itself failed.
	Err *Problem `cbor:"6,keyasint,omitempty"`
}

// Ack says that the client has the deliveries up to Upto.
type Ack struct {
	Job  string `cbor:"1,keyasint"`
	Upto uint64 `cbor:"2,keyasint"`
}

// Cancel asks for the end of a job.
type Cancel struct {
	Job string `cbor:"1,keyasint"`
}

// FetchFailed says that the client could not fetch a result. Range is that
// of the item; an empty Range means the result of the reduce.
type FetchFailed struct {
	Job   string `cbor:"1,keyasint"`
	Range Range  `cbor:"2,keyasint"`
	Key   string `cbor:"3,keyasint"`
}

// Forget says that the client knows how the job ended.
type Forget struct {
	Job string `cbor:"1,keyasint"`
}

// Restore is the state of a machine without jobs. As the first input of a
// log it stands for all that was there before; elsewhere it changes nothing.
type Restore struct {
	Sessions  []SessionState `cbor:"1,keyasint,omitempty"`
	LastLease uint64         `cbor:"2,keyasint"`
	LastMerge uint64         `cbor:"3,keyasint"`
}

// SessionState is a live session in a [Restore]; Join is nil for a client.
type SessionState struct {
	Name string `cbor:"1,keyasint"`
	Num  uint64 `cbor:"2,keyasint"`
	Join *Join  `cbor:"3,keyasint,omitempty"`
}
