package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// A mapRun is one job as its user sees it: results, failures, losses and the
// summary.
type mapRun struct {
	app   *App
	opts  *mapOptions
	spec  *work.Spec
	names shownNames
	start time.Time

	progress atomic.Pointer[sched.Progress]
	sum      bulk.Summary
}

func newMapRun(o *mapOptions, spec *work.Spec) *mapRun {
	return &mapRun{app: o.app, opts: o, spec: spec, names: newShownNames(o.typed), start: time.Now()}
}

// run submits the job and prints what comes of it.
func (r *mapRun) run(ctx context.Context, client *cluster.Client) error {
	job, err := client.Map(ctx, r.spec, &cluster.MapOptions{
		Retries: r.opts.retries, MaxErrors: r.opts.maxErrors + 1,
		Notice: r.notice,
	})
	if err != nil {
		return err
	}
	end := func() {}
	defer r.poll(ctx, job)()
	if r.spec.Reduces() || !r.app.OutTerm { // results on the terminal and a bar do not mix
		end = r.app.startProgress("done", r.snapshot)
	}
	err = r.results(job)
	if err != nil {
		job.Cancel()
	}
	done, werr := job.Wait(context.WithoutCancel(ctx))
	end()
	return r.finish(&done, cmp.Or(err, werr))
}

// results prints results and failures as they come.
func (r *mapRun) results(job *cluster.Job) error {
	for res, err := range job.Results() {
		if err != nil {
			return err
		}
		name := r.names.of(res.URL)
		if res.Problem != nil {
			r.failed(name, res.Problem)
			err = r.printProblem(name, res)
		} else {
			r.sum.Done++
			err = r.print(name, res)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// print prints one result.
func (r *mapRun) print(name string, res cluster.Result) error {
	a := r.app
	switch {
	case a.json:
		return a.printJSON(newResultJSON(name, res))
	case r.opts.raw:
		return a.record(res.Value)
	}
	return a.record(labelled(a.visible(name), res.Value))
}

// labelled is a result as a person reads it: on one line with its name when
// it is one line, else under a heading.
func labelled(name string, value []byte) []byte {
	line := bytes.TrimSuffix(value, []byte("\n"))
	if bytes.IndexByte(line, '\n') < 0 {
		return fmt.Appendf(nil, "%s\t%s\n", name, line)
	}
	return fmt.Appendf(nil, "==> %s <==\n%s\n", name, line)
}

// failed tells of an input that failed and keeps it for the end.
func (r *mapRun) failed(name string, p *sched.Problem) {
	kind := p.Kind
	if kind == fault.Timeout {
		kind = fault.UserError // --timeout ended it: waiting will not help
	}
	err := fault.New("map", name, kind, errors.New(problemText(p)))
	r.sum.Failed++
	if len(r.sum.Errors) < firstErrors {
		r.sum.Errors = append(r.sum.Errors, err)
	}
	r.app.say(err.Error())
	for _, line := range stderrTail(p.Stderr) {
		r.app.say("  " + line)
	}
}

// problemText says why an input failed.
func problemText(p *sched.Problem) string {
	if p.Text == "" {
		return p.Kind.String()
	}
	return p.Text
}

// stderrLines is how many lines of a failed command are shown.
const stderrLines = 5

func stderrTail(b []byte) []string {
	text := strings.TrimSpace(string(b))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-stderrLines):]
}

func (r *mapRun) printProblem(name string, res cluster.Result) error {
	if !r.app.json {
		return nil
	}
	return r.app.printJSON(newResultJSON(name, res))
}

// notice tells what was lost and is done again.
func (r *mapRun) notice(n sched.Notice) {
	what := "was lost"
	if n.Left {
		what = "left"
	}
	var again []string
	for _, c := range []struct {
		n    uint64
		what string
	}{{n.Running, "that it had in hand"}, {n.Folded, "that it had folded"}, {n.Results, "whose results it held"}} {
		if c.n > 0 {
			again = append(again, fmt.Sprintf("%s %s", inputs(int64(c.n)), c.what))
		}
	}
	text := fmt.Sprintf("worker %s %s; nothing has to be done again", n.Worker, what)
	if len(again) > 0 {
		text = fmt.Sprintf("worker %s %s; doing again %s", n.Worker, what, strings.Join(again, ", "))
	}
	r.app.say(text)
}

func inputs(n int64) string {
	if n == 1 {
		return "1 input"
	}
	return count(n) + " inputs"
}

const (
	// pollEvery is how often the scheduler is asked how far a job is.
	pollEvery = 300 * time.Millisecond
	// idlePolls is how often in a row there may be no worker before the user
	// is told: one that is restarted is back sooner.
	idlePolls = 10
)

// poll keeps the progress fresh until the function it returns is called.
func (r *mapRun) poll(ctx context.Context, job *cluster.Job) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	idle := 0
	stop := every(pollEvery, func() {
		p, err := job.Progress(ctx)
		if err != nil {
			return
		}
		r.progress.Store(&p)
		if p.Workers > 0 {
			idle = 0
		} else if idle++; idle == idlePolls {
			r.app.say("no worker of the cluster can run this now; waiting for one")
			r.app.hint("leat worker --cluster " + r.opts.cluster + " starts one")
		}
	})
	return func() {
		cancel()
		stop()
	}
}

// snapshot is the progress in the form of package bulk.
func (r *mapRun) snapshot() bulk.Snapshot {
	p := r.progress.Load()
	if p == nil {
		return bulk.Snapshot{}
	}
	return bulk.Snapshot{
		Done: int64(p.OK), Failed: int64(p.Failed), Items: int64(p.Listed), Complete: p.EOF,
	}
}

// finish prints the result of a reduce and sums up.
func (r *mapRun) finish(done *cluster.Summary, err error) error {
	a := r.app
	r.sum.Done, r.sum.Failed = int64(done.OK), int64(done.Failed)
	r.sum.Canceled = max(0, int64(done.Listed)-r.sum.Total())
	switch {
	case err != nil:
	case done.Listed == 0:
		err = fault.New("map", strings.Join(r.opts.typed, " "), fault.NotExist, errors.New("nothing matches the pattern"))
	case r.spec.Reduces():
		err = r.printReduced(done)
	}
	a.repeat(&r.sum)
	if !a.quiet && (a.ErrTerm || a.verbose || done.Redone > 0 || done.Failed > 0) {
		a.say(r.summary(done))
	}
	if a.json {
		_ = a.printJSON(newMapSummaryJSON(&r.sum, done, err))
	}
	switch {
	case err != nil && r.sum.Done > 0 && !isBrokenPipe(err):
		return &partError{err}
	case err == nil && r.sum.Failed > 0:
		return &bulk.ItemsError{Op: "map", Summary: r.sum}
	}
	return err
}

// printReduced prints what the reduce came to.
func (r *mapRun) printReduced(done *cluster.Summary) error {
	defer done.Result.Close()
	if r.app.json {
		value, err := io.ReadAll(done.Result)
		if err != nil {
			return err
		}
		return r.app.printJSON(resultJSON{Reduced: true, resultBytes: newResultBytes(value)})
	}
	_, err := io.Copy(r.app.Streams, done.Result)
	return err
}

func (r *mapRun) summary(done *cluster.Summary) string {
	parts := []string{fmt.Sprintf("mapped %s in %s", inputs(r.sum.Done), took(time.Since(r.start)))}
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what)
		}
	}
	add(r.sum.Failed, "failed")
	add(int64(done.Redone), "done again after a loss")
	add(int64(done.Retried), "tried again")
	add(r.sum.Canceled, "not done")
	return strings.Join(parts, ", ")
}

// resultJSON is a result, a failure, or what a reduce came to.
type resultJSON struct {
	Name    string  `json:"name,omitempty"`
	NameB64 []byte  `json:"name_b64,omitempty"`
	Index   *uint64 `json:"index,omitempty"`
	Reduced bool    `json:"reduced,omitempty"`
	resultBytes
	Error *problemJSON `json:"error,omitempty"`
}

// resultBytes is a value as text, or in base64 when it is not UTF-8.
type resultBytes struct {
	Result    *string `json:"result,omitempty"`
	ResultB64 []byte  `json:"result_b64,omitempty"`
}

func newResultBytes(v []byte) resultBytes {
	if !utf8.Valid(v) {
		return resultBytes{ResultB64: v}
	}
	s := string(v)
	return resultBytes{Result: &s}
}

type problemJSON struct {
	errorJSON
	Exit   int    `json:"exit,omitempty"`
	Stderr string `json:"stderr,omitempty"`
}

func newResultJSON(name string, res cluster.Result) resultJSON {
	j := resultJSON{Name: name, NameB64: b64(name), Index: &res.Index}
	if p := res.Problem; p != nil {
		j.Error = &problemJSON{
			errorJSON: errorJSON{Kind: p.Kind.String(), Text: oneLine(problemText(p))},
			Exit:      p.Exit, Stderr: strings.ToValidUTF8(string(p.Stderr), "\uFFFD"),
		}
		return j
	}
	j.resultBytes = newResultBytes(res.Value)
	return j
}

// mapSummaryJSON is the last line of map with --json.
type mapSummaryJSON struct {
	summaryJSON
	Listed  uint64 `json:"listed"`
	Redone  uint64 `json:"redone"`
	Retried uint64 `json:"retried"`
}

func newMapSummaryJSON(sum *bulk.Summary, done *cluster.Summary, err error) mapSummaryJSON {
	return mapSummaryJSON{
		summaryJSON: newSummaryJSON("map", sum, err),
		Listed:      done.Listed, Redone: done.Redone, Retried: done.Retried,
	}
}
