package loop

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// Work runs fn, which may block, on a goroutine. The function that it
// returns, if any, is then run on the loop's goroutine with priority pri;
// when fn fails or panics, failed gets the error there. At most [Options.Blocking]
// functions run so at a time, those of [Await] included; further ones wait
// their turn. fn's context ends with ctx and with the loop; Run waits for fn.
// When the loop has ended neither function is called. Work does not block and
// is safe from any goroutine.
func (l *Loop) Work(ctx context.Context, pri Priority, fn func(ctx context.Context) (then func(), err error), failed func(error)) {
	check(pri, nop)
	l.beside(func() {
		var then func()
		var err error = fault.New("work", "", fault.UserError, task.ErrGoexit) // unless it returns
		defer func() {
			switch {
			case err != nil:
				l.Post(pri, func() { failed(err) })
			case then != nil:
				l.Post(pri, then)
			}
		}()
		then, err = l.work(ctx, fn)
	})
}

// beside runs fn on a goroutine that Run waits for, which holds the loop; not
// if the loop has ended.
func (l *Loop) beside(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= stopping {
		return
	}
	release := l.Hold()
	l.own.Go(func() {
		defer release()
		fn()
	})
}

// work runs fn when there is room, under a context that also ends with the
// loop.
func (l *Loop) work(ctx context.Context, fn func(ctx context.Context) (func(), error)) (then func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(l.life, func() { cancel(ErrStopped) })
	defer stop()
	if err := l.co.bridges.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer l.co.bridges.Release(1)
	defer func() {
		if v := recover(); v != nil {
			err = fault.New("work", "", fault.UserError, &task.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return fn(ctx)
}

// Exec starts cmd and calls done on the loop's goroutine with what
// [exec.Cmd.Wait] returned, or the error of starting it. If cmd was made with
// [exec.CommandContext], the end of that context kills it; so does the end of
// the loop in any case, and done is not called then. Exec does not block and
// is safe from any goroutine. The number of children is not limited.
func (l *Loop) Exec(cmd *exec.Cmd, pri Priority, done func(error)) {
	check(pri, nop)
	l.beside(func() {
		err := cmd.Start()
		if err == nil {
			stop := context.AfterFunc(l.life, func() { _ = cmd.Process.Kill() })
			err = cmd.Wait()
			stop()
		}
		l.Post(pri, func() { done(err) })
	})
}

// OnSignal has fn run on the loop's goroutine, with priority Control, for
// each of the signals that comes to the process, until stop is called or the
// loop ends. Signals of one kind that come faster than they are taken are
// merged. It is safe from any goroutine; no fn runs after a stop on the
// loop's goroutine.
func (l *Loop) OnSignal(fn func(os.Signal), signals ...os.Signal) (stop func()) {
	ch, stopped := make(chan os.Signal, len(signals)+1), make(chan struct{})
	signal.Notify(ch, signals...)
	l.beside(func() {
		defer signal.Stop(ch)
		for {
			select {
			case s := <-ch:
				l.Post(Control, func() {
					select {
					case <-stopped:
					default:
						fn(s)
					}
				})
			case <-stopped:
				return
			case <-l.life.Done():
				return
			}
		}
	})
	return sync.OnceFunc(func() { close(stopped) })
}
