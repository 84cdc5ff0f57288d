package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// A tracker follows one run of package bulk: it shows progress, tells each
// failure as it happens, and sums up at the end.
type tracker struct {
	app     *App
	done    string // "copied"
	records bool   // standard output is for records, not for data
	start   time.Time
	prog    bulk.Progress
	end     func()
}

// track begins to follow a run; finish must be called when it has ended.
// records says that standard output can have events as JSON.
func (a *App) track(done string, records bool) *tracker {
	t := &tracker{app: a, done: done, records: records && a.json, start: time.Now()}
	t.end = func() {}
	if records || !a.OutTerm { // data on the terminal and a bar do not mix
		t.end = a.startProgress(done, t.prog.Snapshot)
	}
	return t
}

// event is told the end of each item. Standard output being closed does not
// stop the work, so its error is dropped.
func (t *tracker) event(ev bulk.Event) {
	if ev.Status == bulk.Failed {
		t.app.say(ev.Err.Error())
	}
	if t.records {
		_ = t.app.printJSON(newEventJSON(ev))
		return
	}
	if !t.app.verbose || ev.Status == bulk.Failed {
		return
	}
	text := ev.Status.String()
	if ev.Status == bulk.Done {
		text = doneWord(ev.Op, t.done)
	}
	text += " " + quoteUnprintable(ev.Src.URL())
	if dst := ev.Dst.URL(); dst != "" {
		text += " -> " + quoteUnprintable(dst)
	}
	if ev.Reason != "" {
		text += ": " + ev.Reason
	}
	t.app.say(text)
}

// doneWord says what was done by an operation of which items are told.
func doneWord(op, other string) string {
	switch op {
	case "copy":
		return "copied"
	case "remove":
		return "removed"
	case "move":
		return "moved"
	}
	return other
}

// finish sums up and returns the error of the command.
func (t *tracker) finish(op string, sum bulk.Summary, err error) error {
	t.end()
	a := t.app
	if isBrokenPipe(err) {
		return err // the reader has had enough: nothing is wrong
	}
	a.repeat(&sum)
	clean := sum.Failed == 0 && sum.Skipped == 0 && sum.Canceled == 0
	if !a.quiet && (a.ErrTerm && op != "cat" || a.verbose || !clean) {
		a.say(t.summary(&sum))
	}
	if t.records {
		_ = a.printJSON(newSummaryJSON(op, &sum, err))
	}
	var items *bulk.ItemsError
	if err != nil && sum.Done > 0 && !errors.As(err, &items) && fault.KindOf(err) != fault.Refused {
		return &partError{err}
	}
	return err
}

// summary is the last line of a run.
func (t *tracker) summary(sum *bulk.Summary) string {
	parts := []string{t.done + " " + objects(sum.Done)}
	if sum.Bytes > 0 {
		parts[0] += ", " + size(sum.Bytes) + ","
	}
	parts[0] += " in " + took(time.Since(t.start))
	for _, p := range []struct {
		n    int64
		what string
	}{{sum.Failed, "failed"}, {sum.Skipped, "skipped"}, {sum.Canceled, "canceled"}} {
		if p.n > 0 {
			parts = append(parts, count(p.n)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}

// dryRun tells what was only shown.
func (a *App) dryRun(op string, n, bytes int64) error {
	if a.json {
		return a.printJSON(summaryJSON{Summary: true, Op: op, Skipped: n, Bytes: bytes, DryRun: true})
	}
	if !a.quiet {
		a.say(fmt.Sprintf("dry run: nothing was done to %s, %s", objects(n), size(bytes)))
	}
	return nil
}
