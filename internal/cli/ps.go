package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/debugsock"
)

func newPs(a *App) *cobra.Command {
	c := &cobra.Command{
		Use:     "ps [PID | ADDR]",
		Short:   "show what other leat processes are doing",
		Example: "  leat ps\n  leat ps 4711\n  leat ps --json 4711",
		Long: `Without an argument, ps lists the leat processes of the current user: process
number, when it was started, how many tasks it has, how many of them wait, and its
command line. With a process number it shows the tasks of that process as a tree:
the name of each, for how long it has been there, what it waits for and since
when, and the line of the source that started it. Instead of a number, ADDR names
a socket, or the URL of a debug handler.

Looking does not slow a process down. On SIGUSR1, also on SIGINFO (Ctrl-T) where
there is one, a process writes its tree to its own standard error.`,
	}
	return a.command(c, 0, func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return a.psList(cmd.Context())
		case 1:
			return a.psTree(cmd.Context(), args[0])
		}
		return &usageError{msg: fmt.Sprintf("ps: unexpected argument %q", args[1]), hint: seeHelp(cmd)}
	})
}

// psSummaryJSON is the last line of a list.
type psSummaryJSON struct {
	Op        string `json:"op"`
	Processes int    `json:"processes"`
}

func (a *App) psList(ctx context.Context) error {
	dir, err := debugsock.Dir()
	if err != nil {
		return err
	}
	all, err := debugsock.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, p := range all {
		if a.json {
			err = a.printJSON(p)
		} else {
			err = a.record(a.psLine(p))
		}
		if err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(psSummaryJSON{Op: "ps", Processes: len(all)})
	}
	return nil
}

func (a *App) psLine(p debugsock.About) []byte {
	if !a.OutTerm {
		return fmt.Appendf(nil, "%d\t%s\t%d\t%d\t%s\n", p.PID, a.stamp(p.Started), p.Tasks, p.Waiting, p.Command)
	}
	age := took(time.Since(p.Started))
	return fmt.Appendf(nil, "%7d %8s %6s tasks %6s wait  %s\n", p.PID, age, count(int64(p.Tasks)), count(int64(p.Waiting)), p.Command)
}

// psTree copies what the process answers.
func (a *App) psTree(ctx context.Context, who string) error {
	body, err := a.askTree(ctx, who)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(a.Streams, body)
	return err
}

func (a *App) askTree(ctx context.Context, who string) (io.ReadCloser, error) {
	if strings.Contains(who, "://") {
		return askHandler(ctx, who, a.json)
	}
	file, dir := who, ""
	pid, err := strconv.Atoi(who)
	if err == nil {
		if dir, err = debugsock.Dir(); err != nil {
			return nil, err
		}
		file = debugsock.Socket(dir, pid)
	}
	body, err := debugsock.Get(ctx, file, a.json)
	if errors.Is(err, fs.ErrNotExist) {
		if dir != "" {
			err = errors.New("no leat process of this user has that number, or it began just now")
		} else {
			err = errors.New("nobody listens on that socket")
		}
		return nil, fault.New("ps", who, fault.NotExist, err)
	}
	return body, err
}

// askHandler asks a debug handler that a program serves over HTTP.
func askHandler(ctx context.Context, addr string, asJSON bool) (io.ReadCloser, error) {
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &usageError{msg: fmt.Sprintf("ps: %q is no process number, socket or http URL", addr)}
	}
	if asJSON {
		q := u.Query()
		q.Set("format", "json")
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fault.New("ps", addr, fault.Unavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fault.New("ps", addr, fault.Unavailable, errors.New("the answer is "+resp.Status))
	}
	return resp.Body, nil
}
