package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fsys"
)

// mapOptions are the flags of map.
type mapOptions struct {
	app *App

	fn        string
	reduce    string
	out       string
	batch     int
	retries   int
	maxErrors int64
	timeout   time.Duration
	workers   int
	cluster   string
	raw       bool
	dryRun    bool

	typed []string // the inputs, as they stand on the command line
}

func newMap(a *App) *cobra.Command {
	o := &mapOptions{app: a}
	c := &cobra.Command{
		Use:   "map [FLAG...] URL-GLOB... -- COMMAND [ARG...]\n  leat map [FLAG...] --func NAME URL-GLOB...",
		Short: "do something to every object that a pattern matches, and reduce the results",
		Example: `  leat map --func wordcount --reduce top:20 'src/**/*.go'
  leat map --func sha256 's3://bucket/data/*'
  leat map 's3://logs/**/*.gz' --reduce sum -- sh -c 'zcat | grep -c error'
  leat map 'photos/*.jpg' --out 's3://bucket/small/{name}' -- convert - -resize 50% jpg:-
  leat map --cluster nats://127.0.0.1:4222 'https://host/parts/*' -- wc -c`,
		Long: mapLong,
	}
	f := c.Flags()
	f.StringVar(&o.fn, "func", "", "run a registered function instead of a command: "+strings.Join(work.Funcs(), " "))
	f.StringVar(&o.reduce, "reduce", "", "fold the results: sum, concat, sort, top:N, or a `COMMAND` for sh -c")
	f.StringVar(&o.out, "out", "", "write each result as an object: a `URL` with {path} {name} {stem} {ext} {index}")
	f.IntVar(&o.batch, "batch", 0, "give `N` inputs to each process")
	f.IntVar(&o.retries, "retries", 0, "try a failed input `N` more times")
	f.Int64Var(&o.maxErrors, "max-errors", -1, "give up when more than `N` inputs have failed; -1 never does")
	f.DurationVar(&o.timeout, "timeout", 0, "bound the time for one input, or one batch; 0 is no bound")
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "run `N` workers in this process")
	f.StringVar(&o.cluster, "cluster", "", "use the workers of the cluster at `URL` (nats://host:port)")
	f.BoolVar(&o.raw, "raw", false, "print results as they are, without names")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the inputs and the plan, do nothing")
	c.DisableFlagsInUseLine = true
	c.Args = func(cmd *cobra.Command, args []string) error { return o.check(cmd, args) }
	c.RunE = func(cmd *cobra.Command, args []string) error {
		spec := o.spec(args, cmd.ArgsLenAtDash())
		if err := spec.Validate(); err != nil {
			return o.refuse(cmd, err)
		}
		a.ran = true
		return o.run(cmd.Context(), spec)
	}
	return c
}

const mapLong = `COMMAND runs once for each object, with the object on standard input; what it
prints is the result. In its arguments {} becomes the path of a local copy (then
standard input is empty), and {url} {name} {stem} {ext} {index} become parts of the name.
There is no shell unless COMMAND is one.

A result of one line is printed as NAME<TAB>RESULT, a longer one under a heading
"==> NAME <=="; --raw prints results alone. They come as they are ready.

--reduce folds the results instead. Each worker folds what it has done, then the
workers fold theirs together in pairs.
  sum      adds numbers: each line is NUMBER, or NUMBER and a key; keys are summed apart
  top:N    the same, and prints the N largest; a line without a number counts 1 for itself
  concat   joins the results in the order of the inputs
  sort     sorts all lines
  COMMAND  gets results on standard input and prints what stands for them; it
           must not matter in which order and how often it is applied

An input that fails does not stop the others: it is named at the end, with the
exit code and the last lines of standard error of its command (exit code 3).
When a worker is lost, its inputs are done again and counted once.`

// check looks at the arguments before anything else happens.
func (o *mapOptions) check(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	inputs := len(args)
	if dash >= 0 {
		inputs = dash
	}
	command := len(args) - inputs
	var msg string
	switch {
	case inputs == 0:
		msg = "map: an input is missing"
	case o.fn == "" && command == 0 && !o.dryRun:
		msg = "map: a command is missing; it stands after --, or --func names a function"
	case o.fn != "" && command > 0:
		msg = "map: give a command or --func, not both"
	case o.fn != "" && !slices.Contains(work.Funcs(), o.fn):
		msg = fmt.Sprintf("map: no function is called %q; there are %s", o.fn, strings.Join(work.Funcs(), " "))
	case o.workers < 1 && o.cluster == "":
		msg = fmt.Sprintf("map: --workers %d: at least one worker is needed", o.workers)
	case o.cluster != "" && cmd.Flags().Changed("workers"):
		msg = "map: --workers are started in this process; a --cluster has its own"
	case o.retries < 0:
		msg = fmt.Sprintf("map: --retries %d: not negative, please", o.retries)
	case o.raw && o.out != "":
		msg = "map: --raw prints results, --out writes them elsewhere; give one of them"
	}
	if msg == "" {
		return nil
	}
	return &usageError{msg: msg, hint: seeHelp(cmd)}
}

// refuse turns what Validate said into a usage error.
func (o *mapOptions) refuse(cmd *cobra.Command, err error) error {
	return &usageError{msg: err.Error(), hint: seeHelp(cmd)}
}

// spec returns what the flags and arguments ask for.
func (o *mapOptions) spec(args []string, dash int) *work.Spec {
	s := &work.Spec{Func: o.fn, Batch: o.batch, Timeout: o.timeout}
	if dash >= 0 {
		args, s.Command = args[:dash], args[dash:]
	}
	o.typed = args
	for _, in := range args {
		s.Inputs = append(s.Inputs, absolute(in, true))
	}
	if o.out != "" {
		s.Out = absolute(o.out, false)
	}
	if _, err := work.LookupReducer(o.reduce); o.reduce == "" || err == nil || isReducerName(o.reduce) {
		s.Reduce = o.reduce
	} else {
		s.ReduceCommand = o.reduce
	}
	if o.dryRun && s.Func == "" && len(s.Command) == 0 {
		s.Func = "noop" // the plan is the same for all
	}
	return s
}

// isReducerName reports whether text means a built-in reducer, though
// perhaps not a right one ("top:x"), rather than a command.
func isReducerName(text string) bool {
	name, _, found := strings.Cut(text, ":")
	return found && name == "top"
}

// absolute makes a relative local name absolute, since a worker may run in
// another directory.
func absolute(url string, pattern bool) string {
	if fsys.Scheme(url) != "" || strings.HasPrefix(url, "/") || strings.Contains(url, "::") {
		return url // of a chain such as cache::name, only the mux knows the parts
	}
	dir, err := os.Getwd()
	if err != nil {
		return url // the file system says what is wrong with it
	}
	if pattern {
		dir = fsys.QuoteMeta(dir)
	}
	return strings.TrimSuffix(dir, "/") + "/" + strings.TrimPrefix(url, "./")
}

// run does the job.
func (o *mapOptions) run(ctx context.Context, spec *work.Spec) error {
	if o.dryRun {
		return o.plan(ctx, spec)
	}
	if o.cluster == "" && len(spec.Command) > 0 {
		if _, err := exec.LookPath(spec.Command[0]); err != nil {
			return &usageError{msg: fmt.Sprintf("map: the command %q cannot be run: %v", spec.Command[0], errors.Unwrap(err))}
		}
	}
	client, end, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer end()
	return newMapRun(o, spec).run(ctx, client)
}

// connect returns a client of the cluster that the flags name, or of one in
// this process; end closes what was opened.
func (o *mapOptions) connect(ctx context.Context) (client *cluster.Client, end func(), err error) {
	if o.cluster != "" {
		token, err := clusterToken(o.cluster)
		if err != nil {
			return nil, nil, err
		}
		client, err = cluster.Dial(ctx, o.cluster, &cluster.ClientOptions{Token: token, PeerToken: token, Log: o.app.logger()})
		if err != nil {
			return nil, nil, err
		}
		return client, func() { client.Close() }, nil
	}
	c, err := cluster.Start(ctx, &cluster.Options{Workers: o.workers, Slots: 1, Mux: o.app.Mux, Log: o.app.logger()})
	if err != nil {
		return nil, nil, err
	}
	client, err = c.Client(ctx)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return client, c.Close, nil
}

// plan prints the inputs and what would be done to them.
func (o *mapOptions) plan(ctx context.Context, spec *work.Spec) error {
	names := newShownNames(o.typed)
	var n, bytes int64
	for _, pattern := range spec.Inputs {
		for m, err := range o.app.Mux.Glob(ctx, pattern, nil) {
			if err != nil {
				return err
			}
			n++
			bytes += max(0, m.Entry.Size)
			if err := o.planned(names.of(m.URL), m); err != nil {
				return err
			}
		}
	}
	if o.app.json {
		return o.app.printJSON(summaryJSON{Summary: true, Op: "map", Skipped: n, Bytes: bytes, DryRun: true})
	}
	if !o.app.quiet {
		o.app.say(fmt.Sprintf("dry run: would %s for %s, %s, %s", describe(spec), objects(n), size(bytes), o.where()))
	}
	return nil
}

func (o *mapOptions) planned(name string, m fsys.Match) error {
	if o.app.json {
		return o.app.printJSON(newEntryJSON(name, m.URL, m.Entry))
	}
	return o.app.record([]byte(o.app.visible(name) + "\n"))
}

// describe says in a few words what a spec does.
func describe(s *work.Spec) string {
	text := "run " + s.Func
	if len(s.Command) > 0 {
		text = fmt.Sprintf("run %q", strings.Join(s.Command, " "))
	}
	switch {
	case s.Reduce != "":
		text += " and reduce by " + s.Reduce
	case s.ReduceCommand != "":
		text += fmt.Sprintf(" and reduce by %q", s.ReduceCommand)
	case s.Out != "":
		text += " and write to " + s.Out
	}
	return text
}

func (o *mapOptions) where() string {
	switch {
	case o.cluster != "":
		return "on the cluster " + o.cluster
	case o.workers == 1:
		return "on 1 worker"
	}
	return fmt.Sprintf("on %d workers", o.workers)
}

// shownNames shows names as they were typed: relative where the pattern was.
type shownNames struct{ dir string }

// newShownNames looks at the inputs as they were typed.
func newShownNames(inputs []string) shownNames {
	for _, in := range inputs {
		if fsys.Scheme(in) != "" || strings.HasPrefix(in, "/") {
			return shownNames{}
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return shownNames{}
	}
	return shownNames{strings.TrimSuffix(dir, "/") + "/"}
}

// of returns the name to show for the URL of an input.
func (n shownNames) of(url string) string {
	if n.dir != "" {
		return strings.TrimPrefix(url, n.dir)
	}
	return url
}
