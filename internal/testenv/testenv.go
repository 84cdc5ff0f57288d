package testenv

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// readyTimeout bounds how long a server may take to answer after its start.
// Loaded machines are slow; a healthy server needs well under a second.
const readyTimeout = 60 * time.Second

// Main runs the tests of a package, ends the servers that are shared by
// them, and fails when goroutines are left over. It does not return.
func Main(m *testing.M) {
	goleak.VerifyTestMain(stopAfter{m})
}

// stopAfter ends the shared servers between the tests and the leak check.
type stopAfter struct{ m *testing.M }

func (s stopAfter) Run() int {
	code := s.m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return max(code, 1)
	}
	return code
}

// missing ends the test because a tool is not there: skipped for a person,
// failed where CI is set.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	msg := fmt.Sprintf(format, args...)
	if os.Getenv("CI") != "" {
		t.Fatal("CI is set and " + msg)
	}
	t.Skip("SKIPPED: " + msg)
}

// FileServer serves dir with Go's own file server until the test ends and
// returns the URL, without a trailing slash.
func FileServer(t testing.TB, dir string) string {
	t.Helper()
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(srv.Close)
	return srv.URL
}

// freePort returns a loopback address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// A process is a server of another program, in a process group of its own.
type process struct {
	cmd    *exec.Cmd
	log    string        // its output, a file
	exited chan struct{} // closed when it has been waited for
}

// start runs name with its output in the file log and waits until addr
// accepts connections.
func start(addr, log, name string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = sysProcAttr()
	p := &process{cmd: cmd, log: log, exited: make(chan struct{})}
	// Pdeathsig goes by the thread that forked, so that thread has to live
	// as long as the server. The goroutine is owned by p and ends with it.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := p.ready(addr); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// ready waits until addr accepts a connection.
func (p *process) ready(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended at once: %s", filepath.Base(p.cmd.Path), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer on %s: %s", filepath.Base(p.cmd.Path), addr, p.tail())
		case <-tick.C:
		}
	}
}

// stop kills the process group and waits for its leader.
func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// tail returns the end of the server's output.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	if len(b) > 2000 {
		b = b[len(b)-2000:]
	}
	return string(b)
}
