package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// report tells the user why a command ended as it did, once.
func (a *App) report(ctx context.Context, err error) {
	var (
		quiet *quietError
		sig   *signalError
		usage *usageError
		items *bulk.ItemsError
	)
	switch {
	case errors.As(context.Cause(ctx), &sig):
		a.say(sig.Error())
	case err == nil, isBrokenPipe(err), errors.As(err, &quiet):
	case errors.As(err, &items): // each was told when it happened
		a.hint(hintForItems(items.Summary.Errors))
	case errors.As(err, &usage):
		a.say(usage.msg)
		a.hint(usage.hint)
	default:
		a.say(err.Error())
		a.hint(hintFor([]error{err}))
	}
}

func (a *App) hint(text string) {
	if text != "" {
		a.say("hint: " + text)
	}
}

// hintFor returns what may help against the first error that something may
// help against.
func hintFor(errs []error) string {
	for _, err := range errs {
		if h := hintForOne(err); h != "" {
			return h
		}
	}
	return ""
}

// hintForItems is hintFor for items of a run. That a directory is in the place
// of one has nothing to do with -R.
func hintForItems(errs []error) string {
	for _, err := range errs {
		if fault.KindOf(err) == fault.IsDir {
			continue
		}
		if h := hintForOne(err); h != "" {
			return h
		}
	}
	return ""
}

func hintForOne(err error) string {
	if s := (*bulk.SpellingError)(nil); errors.As(err, &s) {
		return s.Hint
	}
	var e *fault.Error
	errors.As(err, &e)
	s3 := e != nil && strings.HasPrefix(e.Path, "s3:")
	switch kind := fault.KindOf(err); {
	case kind == fault.IsDir && e != nil && (e.Op == "copy" || e.Op == "remove"):
		return "-R takes directories with all that is in them"
	case kind == fault.Permission && s3:
		return "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the profile that AWS_PROFILE names"
	case kind == fault.Unavailable && s3:
		return "AWS_ENDPOINT_URL names the endpoint; trying again later may work"
	case kind.Temporary():
		return "trying again later may work"
	case kind == fault.NotExist && e != nil && e.Op == "map" && strings.ContainsAny(e.Path, "*?["):
		return `quote patterns, and put \ before a * ? or [ that belongs to the name`
	case kind == fault.NotExist && e != nil && strings.ContainsAny(e.Path, "*?["):
		return "quote patterns, and add --raw when these characters belong to the name"
	}
	return ""
}

// firstErrors is how many errors are repeated at the end of a run, where
// they are not drowned by what was printed meanwhile.
const firstErrors = 20

// repeat prints the first errors of a run again, with their number.
func (a *App) repeat(sum *bulk.Summary) {
	if sum.Failed == 0 || sum.Total() < 2 {
		return
	}
	head := fmt.Sprintf("%s of %s failed:", count(sum.Failed), count(sum.Total()))
	n := min(len(sum.Errors), firstErrors)
	if sum.Failed > int64(n) {
		head = fmt.Sprintf("%s of %s failed; the first %d:", count(sum.Failed), count(sum.Total()), n)
	}
	a.say(head)
	for _, err := range sum.Errors[:n] {
		a.say("  " + err.Error())
	}
}

// A tally collects the failures of a command that goes through its arguments
// one by one and goes on after a failure.
type tally struct {
	app *App
	sum bulk.Summary
	err error // the first failure
}

// add counts one argument.
func (t *tally) add(err error) {
	if err == nil {
		t.sum.Done++
		return
	}
	t.sum.Failed++
	if t.err == nil {
		t.err = err
	}
	if len(t.sum.Errors) < firstErrors {
		t.sum.Errors = append(t.sum.Errors, err)
	}
}

// result returns the error of the command. One argument that failed is that
// failure; of several, each is told.
func (t *tally) result(op string) error {
	if t.sum.Failed == 0 || t.sum.Total() == 1 {
		return t.err
	}
	for _, err := range t.sum.Errors {
		t.app.say(err.Error())
	}
	if more := t.sum.Failed - int64(len(t.sum.Errors)); more > 0 {
		t.app.say(fmt.Sprintf("and %s more failed", count(more)))
	}
	return &bulk.ItemsError{Op: op, Summary: t.sum}
}

// forEach runs fn for each argument of a listing command, the next also after
// a failure, and prints the summary of sum, which fn counts into.
func (a *App) forEach(ctx context.Context, op string, args []string, sum *bulk.Summary, fn func(context.Context, string) error) error {
	t := tally{app: a}
	for _, arg := range args {
		err := fn(ctx, arg)
		if stop(ctx, err) {
			return err
		}
		t.add(err)
	}
	err := t.result(op)
	if a.json {
		sum.Failed = t.sum.Failed
		if jerr := a.printJSON(newSummaryJSON(op, sum, err)); jerr != nil {
			return jerr
		}
	}
	return err
}

// nothingMatches says that a pattern named nothing.
func nothingMatches(op, arg string) error {
	return fault.New(op, arg, fault.NotExist, errors.New("nothing matches the pattern"))
}

// stop reports whether a failure ends the command: the context has ended, or
// nobody reads what it prints.
func stop(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || isBrokenPipe(err))
}
