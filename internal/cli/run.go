package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// lineCommands are the commands that a line of run can be: those that work on
// objects.
var lineCommands = map[string]func(*App) *cobra.Command{
	"cat": newCat, "cp": newCp, "du": newDu, "find": newFind, "ls": newLs,
	"mv": newMv, "rm": newRm, "stat": newStat, "sync": newSync,
}

// maxLine is the longest line of a file of commands, in bytes.
const maxLine = 1 << 20

type runOptions struct {
	app  *App
	jobs int

	start        time.Time
	turn         sync.Mutex // held by the line that writes to standard output
	mu           sync.Mutex // guards sum
	sum          bulk.Summary
	read         atomic.Int64 // lines that are commands
	done, failed atomic.Int64
	complete     atomic.Bool
	file         bool  // lines come from a file, which ends
	broken       error // what ended the file early
}

func newRun(a *App) *cobra.Command {
	o := &runOptions{app: a}
	c := &cobra.Command{
		Use:   "run [-j N] FILE|-",
		Short: "run the commands of a file, one a line, many at once",
		Example: `  leat run commands.txt
  printf 'cp %s s3://bucket/in/\n' *.gz | leat run -
  leat run -j 1 steps.txt              one after the other`,
		Long: `A line is what stands behind "leat" on a command line: cat, cp, du, find, ls, mv, rm,
stat or sync, with its flags. Blanks separate words; ' and " and \ quote as in a
shell, and # begins a comment. There is no shell: nothing is expanded, so patterns
need no quotes.

All lines share connections and one budget of requests; -j of them run at once, in
any order. A line "wait" waits for those before it. What a line prints comes in one
piece. Errors are told with the number of the line, which does not stop the others
(exit code 3). With --json there is an object for each line, and the summary.`,
	}
	jobsFlag(c, &o.jobs)
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *runOptions) run(ctx context.Context, args []string) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	if len(args) != 1 {
		return &usageError{msg: "run: one file is read, or - for standard input", hint: "leat run -h shows the usage"}
	}
	in, err := o.open(ctx, args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	o.start = time.Now()
	end := o.app.startProgress("ran", o.snapshot)
	err = o.lines(ctx, in)
	end()
	return o.finish(err)
}

// open opens the file of commands, which any URL can name.
func (o *runOptions) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(o.app.In), nil
	}
	o.file = true
	f, path, err := o.app.Mux.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	return f.Open(ctx, path, nil)
}

// A command is one line.
type command struct {
	line  int
	words []string
	err   error // of its spelling
	end   error // instead of a line: what ended the file
}

// errLongLine is a line that nobody meant.
var errLongLine = fmt.Errorf("a line is longer than %s", size(maxLine))

// scan sends the commands of in. It outlives the run when the run is canceled
// while a read waits for input that does not come; the process then ends.
func scan(ctx context.Context, in io.Reader, to chan<- command) {
	defer close(to)
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	send := func(c command) bool {
		select {
		case to <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	number := 1
	for ; s.Scan(); number++ {
		c := command{line: number}
		c.words, c.err = splitWords(s.Text())
		if (len(c.words) > 0 || c.err != nil) && !send(c) {
			return
		}
	}
	err := s.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = errLongLine
	}
	if err != nil {
		send(command{line: number, end: err})
	}
}

// lines runs all lines of in. What stands between two lines "wait" is one
// group of tasks.
func (o *runOptions) lines(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	commands := make(chan command)
	go scan(ctx, in, commands) // owner: lines, which ends it by cancel
	defer func() {
		cancel()
		for o.file { // in is closed next
			if _, more := <-commands; !more {
				break
			}
		}
	}()
	for !o.complete.Load() {
		err := task.Run(ctx, &task.Options{Name: "run", Limit: o.jobs}, func(g *task.Group) error {
			return o.group(g, commands)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
	return o.broken
}

// group runs lines up to the next "wait".
func (o *runOptions) group(g *task.Group, commands <-chan command) error {
	for {
		var c command
		select {
		case c = <-commands:
		case <-g.Context().Done():
			return nil
		}
		switch {
		case c.end != nil, c.line == 0: // closed
			o.complete.Store(true)
			if c.end != nil {
				o.broken = fault.New("run", fmt.Sprintf("line %d", c.line), fault.KindOf(c.end), c.end)
			}
			return nil
		case slices.Equal(c.words, []string{"wait"}):
			return nil
		}
		o.read.Add(1)
		g.Go("", func(ctx context.Context) error {
			o.one(ctx, c)
			return nil
		})
	}
}

// one runs a line and records how it ended.
func (o *runOptions) one(ctx context.Context, c command) {
	out := &turnWriter{turn: &o.turn, to: o.app.Streams}
	s := NewStreams(strings.NewReader(""), out, errWriter{o.app.Streams})
	s.tag = fmt.Sprintf("line %d: ", c.line)
	sub := &App{Streams: s, Mux: o.app.Mux, Env: o.env}
	err := c.err
	if err == nil {
		err = sub.runLine(ctx, c.words, o.app.verbose)
	} else {
		err = &usageError{msg: err.Error()}
		sub.report(ctx, err)
	}
	out.end()
	o.ended(ctx, c, exitCode(ctx, err), err)
}

// env is the environment of a line: what it would draw is not for it.
func (o *runOptions) env(name string) (string, bool) {
	if name == "LEAT_PROGRESS" || name == "LEAT_JSON" {
		return "", false
	}
	return o.app.Env(name)
}

// runLine runs one command line in a, tells its errors and returns what it
// ended with. It sums up only when verbose: run does that for all lines.
func (a *App) runLine(ctx context.Context, words []string, verbose bool) error {
	root := bareRoot(a)
	a.quiet, a.verbose = !verbose, verbose // defaults of the flags
	if make, ok := lineCommands[words[0]]; ok {
		root.AddCommand(make(a))
	} else if !strings.HasPrefix(words[0], "-") {
		err := &usageError{msg: fmt.Sprintf("%q is no command for a line", words[0]), hint: "leat run --help names them"}
		a.report(ctx, err)
		return err
	}
	root.SetArgs(words)
	root.SetIn(a.In)
	root.SetOut(a.help())
	root.SetErr(io.Discard)
	_, err := root.ExecuteContextC(ctx)
	if ferr := a.Flush(); err == nil {
		err = ferr
	}
	if err != nil && !a.ran {
		err = asUsage(err)
	}
	a.report(ctx, err)
	return err
}

// lineJSON is the end of one line.
type lineJSON struct {
	Op     string     `json:"op"`
	Line   int        `json:"line"`
	Status string     `json:"status"`
	Words  []string   `json:"words"`
	Code   int        `json:"code"`
	Error  *errorJSON `json:"error,omitempty"`
}

// ended counts a line.
func (o *runOptions) ended(ctx context.Context, c command, code int, err error) {
	status := bulk.Done
	switch {
	case ctx.Err() != nil && code != exitDone:
		status = bulk.Canceled
	case code != exitDone:
		status = bulk.Failed
	default:
		err = nil // a reader that went away is none
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch status {
	case bulk.Done:
		o.sum.Done++
		o.done.Add(1)
	case bulk.Canceled:
		o.sum.Canceled++
	default:
		o.sum.Failed++
		o.failed.Add(1)
		if items := (*bulk.ItemsError)(nil); errors.As(err, &items) && len(items.Summary.Errors) == 1 {
			err = items.Summary.Errors[0]
		}
		if len(o.sum.Errors) < firstErrors {
			o.sum.Errors = append(o.sum.Errors, fmt.Errorf("line %d: %w", c.line, err))
		}
	}
	if o.app.json {
		_ = o.app.printJSON(lineJSON{"run", c.line, status.String(), c.words, code, newErrorJSON(err)})
	}
}

// snapshot is how far the run is, in lines.
func (o *runOptions) snapshot() bulk.Snapshot {
	return bulk.Snapshot{
		Done: o.done.Load(), Failed: o.failed.Load(), Items: o.read.Load(), Complete: o.complete.Load(),
	}
}

// finish sums up and returns the error of the command.
func (o *runOptions) finish(err error) error {
	a, sum := o.app, &o.sum
	a.repeat(sum)
	if !a.quiet && (a.ErrTerm || a.verbose || sum.Failed+sum.Canceled > 0) {
		text := fmt.Sprintf("ran %s in %s", lines(sum.Done), took(time.Since(o.start)))
		if sum.Failed > 0 {
			text += ", " + count(sum.Failed) + " failed"
		}
		if sum.Canceled > 0 {
			text += ", " + count(sum.Canceled) + " canceled"
		}
		a.say(text)
	}
	if a.json {
		_ = a.printJSON(newSummaryJSON("run", sum, err))
	}
	switch {
	case err == nil && sum.Failed > 0:
		return &bulk.ItemsError{Op: "run", Summary: *sum}
	case err != nil && sum.Done > 0:
		return &partError{err}
	}
	return err
}

func lines(n int64) string {
	if n == 1 {
		return "1 line"
	}
	return count(n) + " lines"
}

// turnBytes is how much a line prints before it takes its turn at standard
// output and keeps it to its end.
const turnBytes = 1 << 20

// A turnWriter keeps what one line prints together: in memory, and when that
// is too much, by letting no other line write until this one has ended. Its
// writer is one goroutine at a time.
type turnWriter struct {
	turn *sync.Mutex
	to   io.Writer
	buf  []byte
	mine bool // the turn is ours
}

// Write implements io.Writer.
func (w *turnWriter) Write(p []byte) (int, error) {
	if !w.mine && len(w.buf)+len(p) <= turnBytes {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if !w.mine {
		w.turn.Lock()
		w.mine = true
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return w.to.Write(p)
}

func (w *turnWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.to.Write(w.buf)
	w.buf = nil
	return err
}

// end writes what is left and gives the turn back. A closed pipe has been
// noted by the writer below.
func (w *turnWriter) end() {
	if !w.mine && len(w.buf) > 0 {
		w.turn.Lock()
		w.mine = true
	}
	if w.mine {
		_ = w.flush()
		w.turn.Unlock()
		w.mine = false
	}
}
