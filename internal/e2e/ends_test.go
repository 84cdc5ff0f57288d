package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/testenv"
)

func writeFiles(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d", i)), fmt.Appendln(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// uniqueSleep returns a number of seconds that nobody else sleeps.
func uniqueSleep() string { return fmt.Sprintf("3%09d", time.Now().UnixNano()%1e9) }

// TestInterrupt sends the signal of Ctrl-C while commands run: they end, and
// so does the program.
func TestInterrupt(t *testing.T) {
	for _, where := range []string{"embedded", "cluster"} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, 8)
			mark := uniqueSleep()
			args := []string{"map", dir + "/*", "--", "sh", "-c", "sleep " + mark + " & sleep " + mark}
			if where == "cluster" {
				_, url := up(t, "--workers", "2")
				args = append([]string{"map", "--cluster", url}, args[1:]...)
			}
			p := start(t, nil, args...)
			eventually(t, "commands run", func() bool { return len(children(t, "sleep "+mark)) >= 4 })
			p.signal(syscall.SIGINT)
			if code := p.wait(); code != 130 {
				t.Errorf("exit code %d, want 130\nstderr: %s", code, p.stderr())
			}
			if left := children(t, "sleep "+mark); where == "embedded" && len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			eventually(t, "commands end", func() bool { return len(children(t, "sleep "+mark)) == 0 })
		})
	}
}

func TestFailingInputs(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, 10)
	stdout, stderr := leat(t, 3, nil, "map", dir+"/*", "--", "sh", "-c",
		`read n; if [ $n -ge 8 ]; then echo "no good: $n" >&2; exit $n; fi; echo $n`)
	if n := len(fields(stdout)); n != 8 {
		t.Errorf("%d results, want 8:\n%s", n, stdout)
	}
	for _, want := range []string{"f008", "exit status 8", "no good: 8", "f009", "exit status 9", "no good: 9", "2 of 10 failed"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
}

func TestExitCodes(t *testing.T) {
	s3 := testenv.S3(t)
	dir := t.TempDir()
	writeFiles(t, dir, 3)
	closed, silent := closedPort(t), silentHost(t)
	for _, tc := range []struct {
		name string
		code int
		env  []string
		args []string
	}{
		{"missing bucket", 4, s3.Env(), []string{"map", "--func", "bytes", "s3://no-such-bucket-here/**"}},
		{"missing bucket ls", 4, s3.Env(), []string{"ls", "s3://no-such-bucket-here/"}},
		{"missing file", 4, nil, []string{"map", "--func", "bytes", dir + "/absent"}},
		{"bad flag", 2, nil, []string{"map", "--no-such-flag", dir + "/*"}},
		{"no command", 2, nil, []string{"map", dir + "/*"}},
		{"unknown function", 2, nil, []string{"map", "--func", "nonsense", dir + "/*"}},
		{"unknown reducer", 2, nil, []string{"map", "--func", "bytes", "--reduce", "top:x", dir + "/*"}},
		{"no such command", 2, nil, []string{"map", dir + "/*", "--", "no-such-command-here"}},
		{"all failed", 1, nil, []string{"map", dir + "/*", "--", "false"}},
		{"too many errors", 1, nil, []string{"map", "--max-errors", "1", dir + "/*", "--", "false"}},
		{"unreachable s3", 6, []string{"AWS_ENDPOINT_URL=http://" + closed, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"},
			[]string{"map", "--func", "bytes", "s3://bucket/**"}},
		{"silent s3", 6, []string{"AWS_ENDPOINT_URL=http://" + silent, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"},
			[]string{"map", "--func", "bytes", "s3://bucket/**"}},
		{"unreachable cluster", 6, nil, []string{"map", "--cluster", "nats://" + closed, "--func", "bytes", dir + "/*"}},
		{"nothing matches", 4, nil, []string{"map", "--func", "bytes", dir + "/*.none"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, stderr := leat(t, tc.code, tc.env, tc.args...)
			if tc.code != 0 && !strings.HasPrefix(stderr, "leat: ") {
				t.Errorf("stderr does not say why: %q", stderr)
			}
			t.Logf("%v: %s", time.Since(begin).Round(time.Millisecond), strings.TrimSpace(stderr))
		})
	}
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silentHost returns an address that takes connections no more, and does not
// say so: the queue of those that wait to be accepted is full.
func silentHost(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", sa.(*syscall.SockaddrInet4).Port)
	d := net.Dialer{Timeout: 200 * time.Millisecond}
	for range 8 { // until one gets no answer
		c, err := d.Dial("tcp", addr)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system has no way to leave connections without an answer")
	return ""
}
