package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
	"github.com/leat-dev/leat/task"
)

const (
	// killAfter is how long a process group has to end after it was asked
	// to, and how long it has to close its output after its leader ended.
	killAfter = 2 * time.Second
	// goneAfter is how long a killed process may take to be gone.
	goneAfter   = 200 * time.Millisecond
	stderrBytes = 4 << 10
)

// A process is a command to be run once.
type process struct {
	argv []string
	dir  string
	env  []string // besides that of the worker
	// stdin is copied to the command; nil gives it an empty one. A file is
	// handed over as it is.
	stdin io.Reader
	// stopStdin makes a blocked read of stdin return; may be nil.
	stopStdin func()
	stdout    io.Writer
}

// A commandError is how a command failed.
type commandError struct{ sched.Problem }

// Error returns the text of the problem.
func (e *commandError) Error() string { return e.Text }

// execute runs p to its end. The command is over when its process has ended
// and its output is closed; then nothing is left of its process group. The
// error is nil only when it had all of its input that it wanted and exited
// with 0.
func (r *Runner) execute(ctx context.Context, p *process) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if r.opts.NoExec {
		return fault.New("run", p.argv[0], fault.Refused, errors.New("this worker runs no commands"))
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	if cmd.Err != nil {
		return invalidCommand(p, cmd.Err)
	}
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.env...)
	run := &execution{p: p, broke: make(chan struct{}), output: make(chan struct{})}
	if err := run.start(r, cmd); err != nil {
		return err
	}
	return run.wait(ctx, cmd)
}

func invalidCommand(p *process, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		err = errors.New("command not found on the worker")
	}
	var ee *exec.Error
	if errors.As(err, &ee) {
		err = ee.Err
	}
	return fault.New("run", p.argv[0], fault.Invalid, err)
}

// An execution is a process that runs.
type execution struct {
	p    *process
	pipe struct{ in, out, err *os.File } // our ends
	tail tailWriter

	breakOnce sync.Once
	broke     chan struct{} // closed when copying failed
	brokeErr  error
	copies    sync.WaitGroup // of output
	output    chan struct{}  // closed when all output came
	feeding   chan struct{}  // closed when nothing more goes to stdin; nil without
}

// start makes the pipes and starts the command and what feeds it.
func (x *execution) start(r *Runner, cmd *exec.Cmd) (err error) {
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			x.closePipes()
		}
	}()
	pipe := func() (rd, wr *os.File) {
		if err == nil {
			rd, wr, err = os.Pipe()
		}
		return rd, wr
	}
	var in, out, errw *os.File
	x.pipe.out, out = pipe()
	x.pipe.err, errw = pipe()
	theirs = append(theirs, out, errw)
	cmd.Stdout, cmd.Stderr = out, errw
	f, direct := x.p.stdin.(*os.File)
	switch {
	case direct:
		cmd.Stdin = f
	case x.p.stdin != nil:
		in, x.pipe.in = pipe()
		theirs = append(theirs, in)
		cmd.Stdin = in
	}
	if err != nil {
		return fault.New("run", x.p.argv[0], fault.Unknown, err)
	}
	if err := r.spawn(cmd); err != nil {
		return invalidStart(x.p, err)
	}
	x.copy()
	return nil
}

func invalidStart(p *process, err error) error {
	if p.dir != "" {
		if _, dirErr := os.Stat(p.dir); dirErr != nil {
			return fault.New("run", p.argv[0], fault.Invalid, fmt.Errorf("the directory to run in: %w", dirErr))
		}
	}
	kind := fault.KindOf(err)
	if kind == fault.Unknown || kind == fault.NotExist {
		kind = fault.Invalid // such as a script whose interpreter is absent
	}
	return fault.New("run", p.argv[0], kind, err)
}

// copy moves data between the command and us.
func (x *execution) copy() {
	x.copies.Add(2)
	// owner: wait, by copies.
	go func() {
		defer x.copies.Done()
		buf := readBuffers.Get().(*[]byte)
		defer readBuffers.Put(buf)
		w := &errorWriter{w: x.p.stdout}
		if _, err := io.CopyBuffer(w, struct{ io.Reader }{x.pipe.out}, *buf); err != nil && w.err != nil {
			x.fail(w.err)
		}
	}()
	// owner: wait, by copies.
	go func() {
		defer x.copies.Done()
		io.Copy(&x.tail, x.pipe.err) // ends with the pipe
	}()
	// owner: wait, by output; it ends with the two above.
	go func() { x.copies.Wait(); close(x.output) }()
	if x.pipe.in == nil {
		return
	}
	x.feeding = make(chan struct{})
	// owner: wait, by feeding.
	go func() {
		defer close(x.feeding)
		x.feed()
	}()
}

// errorWriter remembers that writing failed, rather than reading.
type errorWriter struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (e *errorWriter) Write(p []byte) (int, error) {
	n, err := e.w.Write(p)
	e.err = err
	return n, err
}

// feed copies the input to the command. A command that does not want all of
// it is fine. After a broken input its stdin stays open, so that it does not
// take the half for the whole.
func (x *execution) feed() {
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	for {
		n, err := x.p.stdin.Read(*buf)
		if n > 0 {
			if _, werr := x.pipe.in.Write((*buf)[:n]); werr != nil {
				return
			}
		}
		if err == io.EOF {
			x.pipe.in.Close()
			return
		}
		if err != nil {
			x.fail(err)
			return
		}
	}
}

// fail makes wait end the command; the first error counts.
func (x *execution) fail(err error) {
	x.breakOnce.Do(func() {
		x.brokeErr = err
		close(x.broke)
	})
}

// wait sees the command to its end.
func (x *execution) wait(ctx context.Context, cmd *exec.Cmd) error {
	defer task.Waiting(ctx, "process "+strconv.Itoa(cmd.Process.Pid)+", "+filepath.Base(x.p.argv[0])).Done()
	exited := make(chan func() error, 1)
	// owner: this call, which receives from exited.
	go func() { exited <- awaitExit(cmd) }()
	var verdict error
	var reap func() error
	select {
	case reap = <-exited:
		verdict = x.outputEnds(ctx)
	case <-ctx.Done():
		verdict = context.Cause(ctx)
	case <-x.broke:
		// Not asked to end but killed: a command that tidies up when asked
		// could take the half of its input for the whole.
		killGroup(cmd)
		verdict = x.brokeErr
	}
	if reap == nil {
		reap = x.terminate(cmd, exited)
	}
	killGroup(cmd) // whatever is left of it
	err := reap()
	x.outputGone()
	if x.p.stopStdin != nil {
		x.p.stopStdin()
	}
	x.closePipes()
	<-x.output
	if x.feeding != nil {
		<-x.feeding
	}
	return x.outcome(verdict, err)
}

// outputEnds waits, after the process has ended, for others of its group to
// close its output.
func (x *execution) outputEnds(ctx context.Context) error {
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	select {
	case <-x.output:
		select {
		case <-x.broke:
			return x.brokeErr
		default:
			return nil
		}
	case <-x.broke:
		return x.brokeErr
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return &commandError{sched.Problem{Kind: fault.UserError,
			Text: fmt.Sprintf("%s: it left processes behind that kept its output open", x.p.argv[0])}}
	}
}

// terminate asks the process group to end and sees that it does.
func (x *execution) terminate(cmd *exec.Cmd, exited <-chan func() error) func() error {
	termGroup(cmd)
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	var reap func() error
	output := x.output
	for {
		select {
		case reap = <-exited:
			exited = nil
		case <-output:
			output = nil
		case <-timer.C:
			killGroup(cmd)
			if reap == nil {
				reap = <-exited
			}
			return reap
		}
		if exited == nil && output == nil {
			return reap
		}
	}
}

// outputGone waits until those killed last have let go of the output, which
// shows that they are gone. Processes that left the group may keep it.
func (x *execution) outputGone() {
	timer := time.NewTimer(goneAfter)
	defer timer.Stop()
	select {
	case <-x.output:
	case <-timer.C:
	}
}

// closePipes ends the copies.
func (x *execution) closePipes() {
	for _, f := range []*os.File{x.pipe.in, x.pipe.out, x.pipe.err} {
		if f != nil {
			f.Close()
		}
	}
}

// outcome is the error of the command: what ended it, else how it exited.
func (x *execution) outcome(verdict, err error) error {
	var left *commandError
	switch {
	case errors.As(verdict, &left):
		left.Stderr = x.tail.bytes()
		return left
	case verdict != nil:
		return x.withStderr(verdict)
	case err == nil:
		return nil
	}
	e := &commandError{sched.Problem{Kind: fault.UserError, Stderr: x.tail.bytes()}}
	e.Text = fmt.Sprintf("%s: %v", x.p.argv[0], err)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.Exit = exit.ExitCode()
	}
	return e
}

// withStderr adds what the command wrote to a time-out; other errors are not
// about the command.
func (x *execution) withStderr(err error) error {
	if fault.KindOf(err) != fault.Timeout {
		return err
	}
	return &commandError{sched.Problem{Kind: fault.Timeout, Exit: -1,
		Text: fmt.Sprintf("%s: %v", x.p.argv[0], err), Stderr: x.tail.bytes()}}
}

// A tailWriter keeps the last stderrBytes of what is written.
type tailWriter struct{ buf []byte }

// Write implements io.Writer.
func (t *tailWriter) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > stderrBytes {
		p = p[len(p)-stderrBytes:]
	}
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - stderrBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return n, nil
}

// bytes returns what was kept. Nothing writes any more.
func (t *tailWriter) bytes() []byte { return t.buf }
