package cli_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// stall serves one object of which only the beginning ever comes, and tells
// when it has been sent.
func stall(t *testing.T) (url string, sent <-chan struct{}) {
	begun, quit := make(chan struct{}, 1), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Header().Set("ETag", `"1"`)
		if r.Method == http.MethodHead {
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 100000))
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		select {
		case <-quit:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(quit); srv.Close() })
	return srv.URL + "/object", begun
}

// The first signal stops the work: unfinished writes are taken back, the
// summary is printed, and the exit code names the signal.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped because there are no signals to send on Windows")
	}
	bin := leatBinary(t)
	for sig, want := range map[os.Signal]struct {
		code int
		text string
	}{os.Interrupt: {130, "leat: interrupted"}, syscall.SIGTERM: {143, "leat: terminated"}} {
		url, sent := stall(t)
		dir := t.TempDir()
		var stderr bytes.Buffer
		cmd := exec.Command(bin, "cp", url, filepath.Join(dir, "out")+"/")
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-sent
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want.code {
			t.Errorf("%v: %v, want exit code %d", sig, err, want.code)
		}
		if !strings.Contains(stderr.String(), "1 canceled") || !strings.HasSuffix(stderr.String(), want.text+"\n") {
			t.Errorf("%v: stderr %q", sig, &stderr)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "out", "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, "out", ".*"))
		if len(left)+len(hidden) > 0 {
			t.Errorf("%v: left behind: %q %q", sig, left, hidden)
		}
	}
}

// The second signal ends the program at once, even where the first cannot
// stop it: here it is stuck in a write that nobody reads.
func TestSecondSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped because there are no signals to send on Windows")
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(leatBinary(t), "cat", big)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // it writes now
		t.Fatal(err)
	}
	// Two different ones, because the kernel may merge two of a kind.
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	state, err := cmd.Process.Wait()
	if err != nil || state.ExitCode() != 143 {
		t.Errorf("exit code %v, %v; want 143", state, err)
	}
	out.Close()
}
