package e2e_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/cli"
	"github.com/leat-dev/leat/internal/testenv"
)

// TestMain makes this binary the program when LEAT_E2E is set.
func TestMain(m *testing.M) {
	if os.Getenv("LEAT_E2E") != "" {
		prepare()
		os.Exit(cli.Main())
	}
	testenv.Main(m)
}

// bound is how long a process may take before a test calls it hung.
const bound = 4 * time.Minute

// A proc is a run of the program.
type proc struct {
	t    *testing.T
	cmd  *exec.Cmd
	args []string

	mu       sync.Mutex
	out, err bytes.Buffer
	said     chan struct{} // closed and renewed whenever the process says something
	done     chan struct{}
}

// start runs the program with args. extra is added to its environment.
func start(t *testing.T, extra []string, args ...string) *proc {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{t: t, cmd: exec.Command(exe, args...), args: args, said: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), "LEAT_E2E=1"), extra...)
	p.cmd.Stdout, p.cmd.Stderr = p.tee(&p.out), p.tee(&p.err)
	// A group of its own, so that nothing outlives the test.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // owner: the process; ends with it
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	})
	return p
}

// tee keeps what a process writes and tells those who wait for it.
func (p *proc) tee(b *bytes.Buffer) io.Writer { return &teeWriter{p, b} }

type teeWriter struct {
	p *proc
	b *bytes.Buffer
}

func (w *teeWriter) Write(data []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	close(w.p.said)
	w.p.said = make(chan struct{})
	return w.b.Write(data)
}

func (p *proc) stdout() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *proc) stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err.String()
}

// until waits for a condition on what the process has said.
func (p *proc) until(what string, cond func() bool) {
	p.t.Helper()
	deadline := time.After(bound)
	for {
		p.mu.Lock()
		said := p.said
		p.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-said:
		case <-p.done:
			if cond() {
				return
			}
			p.t.Fatalf("leat %q ended before %s\nstdout: %.2000s\nstderr: %.2000s", p.args, what, p.stdout(), p.stderr())
		case <-deadline:
			p.t.Fatalf("leat %q: no %s\nstdout: %.2000s\nstderr: %.2000s", p.args, what, p.stdout(), p.stderr())
		}
	}
}

// wait waits for the end and returns the exit code.
func (p *proc) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(bound):
		p.t.Fatalf("leat %q hangs\nstdout: %.2000s\nstderr: %.2000s", p.args, p.stdout(), p.stderr())
	}
	return p.cmd.ProcessState.ExitCode()
}

// signal sends a signal to the process alone.
func (p *proc) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// maxRSS returns the peak resident memory of an ended process in bytes.
func (p *proc) maxRSS() int64 {
	return p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// leat runs the program to its end and checks the exit code.
func leat(t *testing.T, code int, extra []string, args ...string) (stdout, stderr string) {
	t.Helper()
	p := start(t, extra, args...)
	if got := p.wait(); got != code {
		t.Fatalf("leat %q: exit code %d, want %d\nstdout: %.3000s\nstderr: %.3000s", args, got, code, p.stdout(), p.stderr())
	}
	return p.stdout(), p.stderr()
}

// children returns the command lines of all processes that begin with mark.
func children(t *testing.T, mark string) []string {
	t.Helper()
	var all []string
	if dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline"); len(dirs) > 0 {
		for _, file := range dirs {
			if data, err := os.ReadFile(file); err == nil { // else it has just ended
				all = append(all, strings.ReplaceAll(strings.TrimRight(string(data), "\x00"), "\x00", " "))
			}
		}
	} else {
		out, err := exec.Command("ps", "-axo", "args").Output()
		if err != nil {
			t.Fatal(err)
		}
		all = fields(string(out))
	}
	return slices.DeleteFunc(all, func(line string) bool { return !strings.HasPrefix(line, mark) })
}

// eventually polls a condition that no process announces.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("never: ", what)
		}
	}
}

func fields(lines string) []string { return strings.Split(strings.TrimRight(lines, "\n"), "\n") }
