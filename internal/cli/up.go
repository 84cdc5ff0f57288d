package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/cluster"
)

type upOptions struct {
	app     *App
	workers int
	slots   int
	listen  string
	dir     string
}

func newUp(a *App) *cobra.Command {
	o := &upOptions{app: a}
	c := &cobra.Command{
		Use:   "up [--workers N] [--listen HOST:PORT] [--dir DIR]",
		Short: "run a cluster: the scheduler, its log, and workers",
		Example: `  leat up
  leat up --workers 0 --listen 127.0.0.1:4222 --dir /var/lib/leat`,
		Long: `The cluster runs until it is interrupted. Other processes join it by
"leat worker --cluster URL" and use it by "leat map --cluster URL".

With --dir the log of the scheduler is kept: after a restart with the same
directory, jobs go on where they stood. Without it the log is in a temporary
directory and goes with the process.

Only addresses of this machine (127.0.0.0/8, ::1) are listened on.`,
	}
	f := c.Flags()
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "run `N` workers in this process; 0 leaves all work to others")
	f.IntVar(&o.slots, "slots", 1, "let each worker run `N` commands at once")
	f.StringVar(&o.listen, "listen", "127.0.0.1:4222", "accept workers and clients on `HOST:PORT`; port 0 takes a free one")
	f.StringVar(&o.dir, "dir", "", "keep the log of the scheduler in `DIR`")
	return a.command(c, 0, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &usageError{msg: fmt.Sprintf("up: unexpected argument %q", args[0]), hint: seeHelp(cmd)}
		}
		return o.run(cmd.Context())
	})
}

func (o *upOptions) run(ctx context.Context) error {
	if o.workers < 0 || o.slots < 1 {
		return &usageError{msg: "up: --workers must not be negative, --slots at least 1"}
	}
	token, err := newToken(o.dir)
	if err != nil {
		return err
	}
	n := o.workers
	if n == 0 {
		n = -1
	}
	c, err := cluster.Start(ctx, &cluster.Options{
		Workers: n, Slots: o.slots, Listen: o.listen, Dir: o.dir, Sync: o.dir != "", Token: token,
		Mux: o.app.Mux, Log: o.app.logger(),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	forget, err := publishToken(c.URL(), token)
	if err != nil {
		return err
	}
	defer forget()
	if _, err := o.app.Write([]byte(c.URL() + "\n")); err != nil {
		return err
	}
	o.app.say(fmt.Sprintf("the cluster is up with %s; join it by: leat worker --cluster %s", workers(o.workers), c.URL()))
	select {
	case <-ctx.Done():
		return nil
	case <-c.Done():
		return c.Err()
	}
}

func workers(n int) string {
	if n == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

type workerOptions struct {
	app     *App
	cluster string
	name    string
	slots   int
	listen  string
}

func newWorker(a *App) *cobra.Command {
	o := &workerOptions{app: a}
	c := &cobra.Command{
		Use:     "worker --cluster URL [--slots N]",
		Short:   "work for a cluster",
		Example: `  leat worker --cluster nats://127.0.0.1:4222`,
		Long: `The worker runs what the scheduler of the cluster hands out, keeps results,
and gives them to other workers on request. It runs until it is interrupted; what
it had in hand is then done by others. It runs the commands that clients of the
cluster ask for, with its own rights: join only clusters that you trust.`,
	}
	f := c.Flags()
	f.StringVar(&o.cluster, "cluster", "", "the `URL` of the cluster, as leat up prints it")
	f.StringVar(&o.name, "name", "", "what to call the worker; by default host and process number")
	f.IntVar(&o.slots, "slots", runtime.NumCPU(), "run `N` commands at once")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "serve results to other workers on `HOST:PORT`")
	return a.command(c, 0, func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return &usageError{msg: fmt.Sprintf("worker: unexpected argument %q", args[0]), hint: seeHelp(cmd)}
		case o.cluster == "":
			return &usageError{msg: "worker: --cluster is missing", hint: "leat up prints the URL of a cluster"}
		case o.slots < 1:
			return &usageError{msg: "worker: --slots must be at least 1"}
		}
		return o.run(cmd.Context())
	})
}

func (o *workerOptions) run(ctx context.Context) error {
	if o.name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		o.name = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	token, err := clusterToken(o.cluster)
	if err != nil {
		return err
	}
	w, err := cluster.Join(o.cluster, &cluster.WorkerOptions{
		Name: o.name, Slots: o.slots, Listen: o.listen, Token: token, Exec: true, Mux: o.app.Mux, Log: o.app.logger(),
	})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Joined(ctx); err != nil {
		return err
	}
	o.app.say("worker " + o.name + " works for " + o.cluster)
	<-ctx.Done()
	return nil
}

// logger returns where libraries report: standard error, warnings only
// unless -v is given.
func (a *App) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(sayWriter{a}, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, at slog.Attr) slog.Attr {
			if len(groups) == 0 && at.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return at
		},
	}))
}

// sayWriter turns log lines into lines of the program.
type sayWriter struct{ app *App }

func (w sayWriter) Write(b []byte) (int, error) {
	w.app.say(strings.TrimSpace(string(b)))
	return len(b), nil
}
