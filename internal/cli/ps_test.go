//go:build unix

package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// psTest is a running leat map whose commands wait for the end of the test.
type psTest struct {
	t      *testing.T
	bin    string
	env    []string
	cmd    *exec.Cmd
	stderr *os.File
}

func startMap(t *testing.T) *psTest {
	t.Helper()
	// Not t.TempDir: the name of a socket has room for some 100 bytes.
	dir, err := os.MkdirTemp("", "ps")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &psTest{t: t, bin: leatBinary(t), env: append(os.Environ(), "XDG_RUNTIME_DIR="+dir)}
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if p.stderr, err = os.Create(filepath.Join(dir, "stderr")); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(p.bin, "map", in+"/*", "--", "sleep", "1000")
	p.cmd.Env, p.cmd.Stderr = p.env, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		_ = p.cmd.Wait()
		p.stderr.Close()
	})
	return p
}

// ps runs "leat ps".
func (p *psTest) ps(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(p.bin, append([]string{"ps"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &out
	err := cmd.Run()
	return out.String(), err
}

// until asks until the answer matches, and returns it.
func (p *psTest) until(want string, ask func() string) string {
	p.t.Helper()
	re := regexp.MustCompile(want)
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if last = ask(); re.MatchString(last) {
			return last
		}
		<-time.After(50 * time.Millisecond) // the other process works meanwhile
	}
	p.t.Fatalf("never matched %s; last:\n%s", want, last)
	return ""
}

// The tree of a running map has its inputs and what they wait for.
func TestPs(t *testing.T) {
	p := startMap(t)
	pid := strconv.Itoa(p.cmd.Process.Pid)
	p.until(`in/(one|two)  \S+  waits \S+ for process \d+, sleep  work/lease.go:\d+\n`, func() string {
		out, _ := p.ps(pid)
		return out
	})
	out, err := p.ps("--json", pid)
	if err != nil || !strings.Contains(out, `"for":"process `) {
		t.Errorf("json: %v\n%s", err, out)
	}
	list, err := p.ps()
	if fields := strings.Split(list, "\t"); err != nil || len(fields) != 5 || fields[0] != pid ||
		!strings.HasPrefix(fields[4], "leat map ") || strings.Count(list, "\n") != 1 {
		t.Errorf("list: %v\n%s", err, list)
	}
	if out, err := p.ps("1"); err == nil || err.(*exec.ExitError).ExitCode() != 4 || !strings.Contains(out, "no leat process") {
		t.Errorf("a process that is not leat: %v\n%s", err, out)
	}
}

// A signal makes a process write its tree to standard error.
func TestTreeOnSignal(t *testing.T) {
	p := startMap(t)
	p.until(`for process`, func() string {
		out, _ := p.ps(strconv.Itoa(p.cmd.Process.Pid))
		return out
	})
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	p.until(`leat: process \d+: \d+ tasks, \d+ wait\n(?s:.*)for process \d+, sleep`, func() string {
		text, _ := os.ReadFile(p.stderr.Name())
		return string(text)
	})
}
