package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/debugsock"
	"github.com/leat-dev/leat/task"
)

// lookAfter is how old a process is when it opens its debug socket: those
// that end at once do not need one.
const lookAfter = 100 * time.Millisecond

// inspectable lets others look at the tasks of this process, by "leat ps" and
// by a signal, until stop is called. Nothing of it may disturb the command,
// so errors are not told: the process is then missing from the list.
func inspectable(s *Streams, args []string) (stop func()) {
	if len(args) > 0 && args[0] == "ps" {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	if len(treeSignals) > 0 {
		signal.Notify(signals, treeSignals...)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // owner: stop, which ends it and waits
		defer close(ended)
		late := time.NewTimer(lookAfter)
		defer late.Stop()
		end := func() {}
		defer func() { end() }()
		for {
			select {
			case <-late.C:
				if stop, err := serveTree(args); err == nil {
					end = stop
				}
			case <-signals:
				s.writeTree()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
		<-ended
	}
}

func serveTree(args []string) (stop func(), err error) {
	dir, err := debugsock.Dir()
	if err != nil {
		return nil, err
	}
	return debugsock.Serve(dir, commandLine(args))
}

// writeTree writes the tree of tasks to standard error.
func (s *Streams) writeTree() {
	var b bytes.Buffer
	tree := task.Tree()
	tasks, waiting := tree.Count()
	fmt.Fprintf(&b, "leat: process %d: %d tasks, %d wait\n", os.Getpid(), tasks, waiting)
	_ = tree.WriteText(&b)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.err.Write(b.Bytes())
}

// maxLeft is how many tasks writeLeft names.
const maxLeft = 20

// writeLeft tells, once the command has ended, of tasks that have not: each
// is a bug.
func (s *Streams) writeLeft() {
	left := task.All()
	if len(left) == 0 {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "leat: %d tasks were at work when the command ended:\n", len(left))
	for _, t := range left[:min(len(left), maxLeft)] {
		fmt.Fprintf(&b, "  %s\n", quoteUnprintable(t.String()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.err.Write(b.Bytes())
}

// commandLine is what the process is called, without what may be secret:
// users and queries of URLs.
func commandLine(args []string) string {
	words := []string{"leat"}
	for _, arg := range args {
		if scheme, rest, ok := strings.Cut(arg, "://"); ok {
			rest, _, _ = strings.Cut(rest, "?")
			host, path, slash := strings.Cut(rest, "/")
			host = host[strings.LastIndexByte(host, '@')+1:]
			if slash {
				host += "/"
			}
			arg = scheme + "://" + host + path
		}
		words = append(words, quoteUnprintable(arg))
	}
	return strings.Join(words, " ")
}
