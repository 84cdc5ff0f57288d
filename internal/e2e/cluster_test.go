package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// up starts a cluster without workers and returns its URL.
func up(t *testing.T, args ...string) (*proc, string) {
	t.Helper()
	p := start(t, nil, append([]string{"up", "--listen", "127.0.0.1:0"}, args...)...)
	p.until("URL", func() bool { return strings.Contains(p.stdout(), "\n") })
	return p, strings.TrimSpace(p.stdout())
}

// TestWorkersKilledAndStopped maps over files with three worker processes,
// one of which is killed and one stopped for a while: the answer is exact.
func TestWorkersKilledAndStopped(t *testing.T) {
	const files, perFile = 600, 50
	dir := t.TempDir()
	for i := range files {
		text := strings.Repeat(fmt.Sprintf("all\nword%d\n", i%7), perFile)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		reduce bool
	}{{"reduce", true}, {"results", false}} {
		t.Run(tc.name, func(t *testing.T) {
			_, url := up(t, "--workers", "0", "--dir", t.TempDir())
			var ws []*proc
			for i := range 3 {
				w := start(t, nil, "worker", "--cluster", url, "--slots", "2", "--name", fmt.Sprint("w", i))
				ws = append(ws, w)
			}
			// Each command takes long enough that all workers have some in
			// hand when the losses happen; it notes that it ran.
			ran := t.TempDir()
			command := `n=$(wc -l); : > "` + ran + `/$LEAT_NAME.$$"; sleep 0.02; echo $n`
			args := []string{"map", "--cluster", url, dir + "/*.txt"}
			if tc.reduce {
				args = append(args, "--reduce", "sum")
			}
			m := start(t, nil, append(args, "--", "sh", "-c", command)...)
			eventually(t, "a third of the inputs ran", func() bool { return count(t, ran) > files/3 })
			ws[0].signal(syscall.SIGKILL)
			ws[1].signal(syscall.SIGSTOP)
			m.until("notice of both losses", func() bool {
				return strings.Contains(m.stderr(), "worker w0 was lost") && strings.Contains(m.stderr(), "worker w1 was lost")
			})
			ws[1].signal(syscall.SIGCONT)
			if code := m.wait(); code != 0 {
				t.Fatalf("exit code %d\nstderr: %s", code, m.stderr())
			}
			t.Logf("stderr of map:\n%s", m.stderr())
			if tc.reduce {
				if want := fmt.Sprintln(files * perFile * 2); m.stdout() != want {
					t.Errorf("sum is %q, want %q", m.stdout(), want)
				}
			} else {
				checkLines(t, m.stdout(), files, perFile*2)
			}
			ws[1].until("word of the new session", func() bool { return strings.Contains(ws[1].stderr(), "joining again") })
			for _, w := range ws[1:] {
				w.signal(syscall.SIGTERM)
				if code := w.wait(); code != 143 {
					t.Errorf("worker ended with %d, want 143\nstderr: %s", code, w.stderr())
				}
			}
		})
	}
}

func count(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// checkLines checks that each of n files has one result.
func checkLines(t *testing.T, out string, n, value int) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range fields(out) {
		name, v, _ := strings.Cut(line, "\t")
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if v != fmt.Sprint(value) {
			t.Errorf("%s: %q, want %d", name, v, value)
		}
	}
	if len(seen) != n {
		t.Errorf("%d results, want %d", len(seen), n)
	}
}

// TestSchedulerRestart kills the scheduler in the middle of a job and starts
// it again on its directory: the job goes on.
func TestSchedulerRestart(t *testing.T) {
	const files = 200
	dir, state, ran := t.TempDir(), t.TempDir(), t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d", i)), []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	boss, url := up(t, "--workers", "0", "--dir", state)
	for i := range 2 {
		start(t, nil, "worker", "--cluster", url, "--slots", "2", "--name", fmt.Sprint("w", i))
	}
	command := `: > "` + ran + `/$LEAT_NAME.$$"; sleep 0.03; wc -l`
	m := start(t, nil, "map", "--cluster", url, "--reduce", "sum", dir+"/*", "--", "sh", "-c", command)
	eventually(t, "a third of the inputs ran", func() bool { return count(t, ran) > files/3 })
	boss.signal(syscall.SIGKILL)
	boss.wait()
	start(t, nil, "up", "--workers", "0", "--dir", state, "--listen", strings.TrimPrefix(url, "nats://"))
	if code := m.wait(); code != 0 {
		t.Fatalf("exit code %d\nstderr: %s", code, m.stderr())
	}
	if want := fmt.Sprintln(files); m.stdout() != want {
		t.Errorf("sum is %q, want %q", m.stdout(), want)
	}
}

// TestNoWorker maps on a cluster without workers: it says so, and goes on
// when one has come.
func TestNoWorker(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, 3)
	_, url := up(t, "--workers", "0")
	m := start(t, nil, "map", "--cluster", url, "--func", "lines", "--reduce", "sum", dir+"/*")
	m.until("word of the missing worker", func() bool { return strings.Contains(m.stderr(), "no worker") })
	start(t, nil, "worker", "--cluster", url)
	if code := m.wait(); code != 0 || m.stdout() != "3\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, m.stdout(), m.stderr())
	}
}

// TestForeignUser connects without the token of the cluster.
func TestForeignUser(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, 3)
	_, url := up(t, "--workers", "1")
	elsewhere := []string{"XDG_CACHE_HOME=" + t.TempDir(), "HOME=" + t.TempDir()}
	_, stderr := leat(t, 1, elsewhere, "map", "--cluster", url, "--func", "lines", dir+"/*")
	if !strings.Contains(strings.ToLower(stderr), "authorization") {
		t.Errorf("stderr: %s", stderr)
	}
}

// TestNothingIsLeft checks that what a killed cluster and worker left in the
// place for temporary files is gone after the next ones have run.
func TestNothingIsLeft(t *testing.T) {
	tmp := t.TempDir()
	env := []string{"TMPDIR=" + tmp}
	dir := t.TempDir()
	writeFiles(t, dir, 3)
	for range 2 {
		p := start(t, env, "map", "--func", "bytes", dir+"/*", "--workers", "1")
		p.until("a result", func() bool { return p.stdout() != "" })
		p.signal(syscall.SIGKILL)
		p.wait()
	}
	leat(t, 0, env, "map", dir+"/*", "--", "wc", "-c", "{}")
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestClientKilled kills the client of a job: the commands of the job end.
func TestClientKilled(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, 6)
	_, url := up(t, "--workers", "2")
	mark := uniqueSleep()
	m := start(t, nil, "map", "--cluster", url, dir+"/*", "--", "sleep", mark)
	eventually(t, "commands run", func() bool { return len(children(t, "sleep "+mark)) >= 2 })
	m.signal(syscall.SIGKILL)
	eventually(t, "commands end", func() bool { return len(children(t, "sleep "+mark)) == 0 })
	out, _ := leat(t, 0, nil, "map", "--cluster", url, "--func", "lines", "--reduce", "sum", dir+"/*")
	if out != "6\n" {
		t.Errorf("the next job says %q", out)
	}
}
