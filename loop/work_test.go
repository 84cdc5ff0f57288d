package loop_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/leat-dev/leat/loop"
)

func TestWork(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true, Blocking: 2, Debug: true})
	var at, most atomic.Int32
	ran, failures := 0, []string{}
	for i := range 20 {
		l.Work(t.Context(), loop.Normal, func(context.Context) (func(), error) {
			if n := at.Add(1); n > most.Load() {
				most.Store(n)
			}
			runtime.Gosched()
			at.Add(-1)
			switch i {
			case 3:
				return nil, errors.New("three")
			case 4:
				panic("four")
			case 5:
				runtime.Goexit()
			case 6:
				return nil, nil
			}
			return func() { ran++ }, nil
		}, func(err error) { failures = append(failures, err.Error()) })
	}
	must(t, l.Run(t.Context()))
	if ran != 16 || len(failures) != 3 || most.Load() > 2 {
		t.Errorf("%d ran, %d at once, failures %q", ran, most.Load(), failures)
	}
	text := strings.Join(failures, "\n")
	for _, want := range []string{"three", "four", "Goexit"} {
		if !strings.Contains(text, want) {
			t.Errorf("no failure says %q: %q", want, failures)
		}
	}
}

func TestWorkEndsWithTheLoop(t *testing.T) {
	l := loop.New(nil)
	var cause error
	l.Work(t.Context(), loop.Normal, func(ctx context.Context) (func(), error) {
		l.Post(loop.Normal, l.Stop)
		<-ctx.Done()
		cause = context.Cause(ctx)
		return func() { t.Error("ran after the end") }, nil
	}, func(err error) { t.Error(err) })
	must(t, l.Run(t.Context()))
	if cause != loop.ErrStopped {
		t.Errorf("cause %v", cause)
	}
}

func TestExec(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true})
	var codes []int
	exit := func(err error) {
		var e *exec.ExitError
		if errors.As(err, &e) {
			codes = append(codes, e.ExitCode())
		} else {
			t.Error(err)
		}
	}
	l.Exec(exec.Command(os.Args[0], "-no-such-flag"), loop.IO, exit)
	missing := false
	l.Exec(exec.Command("/no/such/program"), loop.IO, func(err error) { missing = errors.Is(err, os.ErrNotExist) })
	must(t, l.Run(t.Context()))
	if len(codes) != 1 || codes[0] != 2 || !missing {
		t.Errorf("exit codes %v, missing program noticed: %v", codes, missing)
	}
}

// A child that would never end is killed by the end of the loop.
func TestExecEndsWithTheLoop(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd := exec.Command("cat")
	cmd.Stdin = r
	l := loop.New(nil)
	l.Exec(cmd, loop.IO, func(err error) { t.Error("done after the end") })
	l.Post(loop.Normal, l.Stop)
	must(t, l.Run(t.Context()))
	must(t, w.Close())
	if cmd.ProcessState != nil && cmd.ProcessState.Success() {
		t.Error("the child was not killed")
	}
}

func TestSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such signal to send to oneself on Windows")
	}
	l := loop.New(&loop.Options{Finite: true})
	n := 0
	var stop func()
	stop = l.OnSignal(func(s os.Signal) {
		if n++; n < 3 {
			sendSelf(t, s)
			return
		}
		stop()
		stop()
	}, syscall.SIGHUP)
	sendSelf(t, syscall.SIGHUP)
	must(t, l.Run(t.Context()))
	if n != 3 {
		t.Errorf("%d signals", n)
	}
}

func sendSelf(t *testing.T, s os.Signal) {
	p, err := os.FindProcess(os.Getpid())
	must(t, err)
	must(t, p.Signal(s))
}
