package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
)

// An App is one run of the program: what every command shares. It belongs to
// one goroutine, except for its Streams.
type App struct {
	*Streams
	// Mux resolves every URL that the user names.
	Mux *fsys.Mux
	// Env looks up environment variables.
	Env func(name string) (string, bool)

	json     bool
	quiet    bool
	verbose  bool
	color    string // auto, always, never
	progress string // auto, always, never

	ran      bool   // a command has begun: the command line was right
	longHelp bool   // help was asked for by --help or the help command
	asked    string // the command that ran, for the hint of a usage error
}

// gcPercent trades processor time for memory: what is live in a long run is
// mostly buffers in flight, and a heap of twice that is not worth the few
// percent that it saves.
const gcPercent = 50

// Main runs the program with the arguments, streams and signals of the
// process, and returns its exit code. The first interrupt stops the work and
// lets it clean up; the second ends the process at once.
func Main() int {
	// A closed pipe is an error of the write, not the death of the process:
	// unfinished uploads have to be aborted.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := notify(context.Background())
	defer stop()
	s := NewStreams(os.Stdin, os.Stdout, os.Stderr)
	defer inspectable(s, os.Args[1:])()
	code := Run(ctx, os.Args[1:], s, os.LookupEnv)
	if os.Getenv("LEAT_DEBUG") == "true" {
		s.writeLeft()
	}
	return code
}

// Run runs one command line and returns the exit code. It returns once all
// work has ended.
func Run(ctx context.Context, args []string, s *Streams, env func(string) (string, bool)) int {
	a := &App{Streams: s, Env: env, Mux: backend.Mux(nil)}
	defer a.Mux.Close()
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(a.help())
	root.SetErr(io.Discard)
	a.longHelp = wantsLongHelp(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.asked = cmd.CommandPath()
	if ferr := s.Flush(); err == nil {
		err = ferr
	}
	if err != nil && !a.ran {
		err = asUsage(err)
	}
	a.report(ctx, err)
	return exitCode(ctx, err)
}

// help returns where cobra writes its texts: standard output.
func (a *App) help() io.Writer { return a.Streams }

// asUsage makes an error that came before any command began, such as an
// unknown flag, one of usage.
func asUsage(err error) error {
	if u := (*usageError)(nil); errors.As(err, &u) {
		return err
	}
	msg, hint, _ := strings.Cut(err.Error(), "\n\n")
	hint = strings.ReplaceAll(strings.TrimSpace(hint), "\n\t", " ")
	return &usageError{msg: msg, hint: strings.ToLower(hint)}
}

// notify returns a context that the first interrupt ends, with a
// [signalError] as its cause. The second signal ends the process.
func notify(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	go func() { // owner: Main, which ends it by closing quit
		for first := true; ; first = false {
			select {
			case sig := <-signals:
				err := &signalError{sig}
				if !first {
					os.Exit(exitCode(parent, err))
				}
				cancel(err)
			case <-quit:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		cancel(nil)
	}
}
