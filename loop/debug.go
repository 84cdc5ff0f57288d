package loop

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// A debugger finds mistakes of those who use a loop. All of it is off by
// default.
type debugger struct {
	on    bool // Options.Debug
	slow  time.Duration
	log   *slog.Logger
	began atomic.Int64   // when the callback that runs began, on the loop's clock; 0 if none runs
	open  map[any]string // what has to be closed, and where it was made; nil unless on
}

const debugSlow = 100 * time.Millisecond

func (d *debugger) init(opts *Options) {
	d.on, d.slow, d.log = opts.Debug, opts.Slow, opts.Log
	if d.slow == 0 && d.on {
		d.slow = debugSlow
	}
	if d.on {
		d.open = map[any]string{}
	}
	if d.log == nil {
		d.log = slog.Default()
	}
}

// mustBeOn panics, in debug mode, when the caller is not on the goroutine of
// the loop while that runs.
func (l *Loop) mustBeOn(what string) {
	if !l.debug.on {
		return
	}
	l.mu.Lock()
	owner := l.owner
	l.mu.Unlock()
	if owner != 0 && !l.onLoop() {
		panic(fmt.Sprintf("loop: %s called on goroutine %d, not the loop's goroutine %d; use Post or Call", what, goroutineID(), owner))
	}
}

// opened notes, in debug mode, that its caller's caller has made something
// to be closed before the loop ends.
func (l *Loop) opened(what any) {
	if l.debug.open != nil {
		l.debug.open[what] = callSite()
	}
}

func (l *Loop) closed(what any) {
	if l.debug.open != nil {
		delete(l.debug.open, what)
	}
}

// callSite returns the place outside this package that the call came from.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !more || !strings.Contains(f.Function, "/loop.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
	}
}

// reportLeaks logs what was left open.
func (l *Loop) reportLeaks() {
	for what, site := range l.debug.open {
		l.debug.log.Warn("left open when its loop ended", "what", fmt.Sprintf("%T", what), "made", site)
	}
}

// reportCutOff logs, in debug mode, the coroutines that have not ended by
// themselves. It is called before they are told to.
func (l *Loop) reportCutOff() {
	if !l.debug.on {
		return
	}
	var who []string
	for s := range (*host)(l).Stacks {
		if info, ok := s.Info(); ok {
			who = append(who, info.String())
		}
	}
	n := len(who)
	if n == 0 {
		return
	}
	l.debug.log.Warn("coroutines at work when their loop ended", "count", n, "tasks", who[:min(n, maxStuck)])
}

// watchdog logs callbacks that run for longer than they may, with the stack
// of the moment, once each. It ends with the loop, which waits for it.
func (l *Loop) watchdog() {
	tick := time.NewTicker(l.debug.slow / 2)
	defer tick.Stop()
	reported := int64(0)
	for {
		select {
		case <-l.life.Done():
			return
		case <-tick.C:
		}
		began := l.debug.began.Load()
		runs := l.now() + 1 - time.Duration(began)
		if began == 0 || began == reported || runs < l.debug.slow {
			continue
		}
		reported = began
		task, stack := l.holder()
		if l.debug.began.Load() == began { // else the stack is of another callback
			l.debug.log.Warn("slow callback", "runs", runs, "task", task, "stack", stack)
		}
	}
}

// holder returns the stack of who has the loop's turn, and if that is a
// coroutine, the path of its task. It stops the process for a moment. It is
// safe from any goroutine.
func (l *Loop) holder() (task, stack string) {
	l.mu.Lock()
	header := fmt.Appendf(nil, "goroutine %d ", l.owner)
	l.mu.Unlock()
	coros := map[string]*coro{}
	for c := range l.co.where.all {
		coros[fmt.Sprintf("%p", c)] = c
	}
	for part := range bytes.SplitSeq(allStacks(), []byte("\n\n")) {
		if handedOver(part) {
			continue
		}
		if bytes.HasPrefix(part, header) {
			return "", string(part)
		}
		if c := coros[receiver(part)]; c != nil {
			return c.stack.Shown(), string(part)
		}
	}
	return "", ""
}

// maxStacks bounds the memory for the stacks of all goroutines.
const maxStacks = 64 << 20

func allStacks() []byte {
	for size := 1 << 20; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxStacks {
			return buf[:n]
		}
	}
}

// receiver returns the address of the coroutine whose stack it is, as its
// outermost function shows it, or nothing. A goroutine does not know its own
// number, and to find it out takes longer than to make a coroutine.
func receiver(stack []byte) string {
	_, args, _ := bytes.Cut(stack, []byte("/loop.(*coro).main("))
	return string(args[:max(0, bytes.IndexAny(args, ",?)"))])
}

// handedOver reports whether the goroutine of a stack waits for a coroutine,
// or is one that waits for its turn.
func handedOver(stack []byte) bool {
	first, _, _ := bytes.Cut(stack, []byte("\n"))
	return bytes.Contains(first, []byte("[coroutine"))
}

// maxStuck is how many of those that wait an error or a report names.
const maxStuck = 10

// stuck returns what Run returns when nothing can run any more: nil if nobody
// waits, else an error that says who, and for what.
func (l *Loop) stuck() error {
	var who []string
	for _, c := range l.co.pool.all {
		if c != nil && c.job != nil {
			who = append(who, fmt.Sprintf("%s for %s", cmp.Or(c.stack.Path(), "a coroutine"), cmp.Or(c.what, "an event")))
		}
	}
	for _, t := range l.conns.transports.list {
		who = append(who, fmt.Sprintf("a connection to %v for its protocol", t.RemoteAddr()))
	}
	if len(who) == 0 {
		return nil
	}
	more := ""
	if n := len(who) - maxStuck; n > 0 {
		who, more = who[:maxStuck], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%w, but there wait: %s%s", ErrStuck, strings.Join(who, "; "), more)
}
