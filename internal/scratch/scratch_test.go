package scratch_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/leat-dev/leat/internal/scratch"
)

// TestMain makes the binary a process that holds a directory until it is
// killed.
func TestMain(m *testing.M) {
	if parent := os.Getenv("SCRATCH_PARENT"); parent != "" {
		d, err := scratch.Make(parent, "x-")
		if err != nil {
			panic(err)
		}
		fmt.Println(d.Path())
		select {}
	}
	os.Exit(m.Run())
}

func TestRemove(t *testing.T) {
	parent := t.TempDir()
	d, err := scratch.Make(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.Path())
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(d.Path(), "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left := names(t, parent); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestKilled kills the owner of a directory: the next Make removes it, and
// neither those in use nor what has another name.
func TestKilled(t *testing.T) {
	parent := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SCRATCH_PARENT="+parent)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	held := line[:len(line)-1]
	if err := os.MkdirAll(filepath.Join(parent, "x-foreign", "d"), 0o700); err != nil {
		t.Fatal(err)
	}

	mine, err := scratch.Make(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Remove()
	if _, err := os.Stat(held); err != nil {
		t.Errorf("a directory in use was removed: %v", err)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	cut := filepath.Join(parent, "x-cut-short") // its lock file was removed, it was not
	if err := os.Mkdir(cut, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := scratch.Make(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	defer next.Remove()
	for _, gone := range []string{held, cut} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s, of a killed process, is still there", gone)
		}
	}
	for _, keep := range []string{mine.Path(), filepath.Join(parent, "x-foreign")} {
		if _, err := os.Stat(keep); err != nil {
			t.Errorf("%s is gone: %v", keep, err)
		}
	}
}

func TestConcurrent(t *testing.T) {
	parent := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				d, err := scratch.Make(parent, "x-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path(), "f"), nil, 0o600); err != nil {
					t.Errorf("removed while in use: %v", err)
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left := names(t, parent); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
