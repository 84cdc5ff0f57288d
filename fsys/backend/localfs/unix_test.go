//go:build unix

package localfs_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
)

// A pipe is neither opened, which would block, nor replaced.
func TestPipe(t *testing.T) {
	f, root := local(t)
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if e, err := f.Stat(t.Context(), "pipe"); err != nil || e.Kind != fsys.Other {
		t.Errorf("stat = %+v, %v", e, err)
	}
	if _, err := f.ReadFile(t.Context(), "pipe"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("read: %v, want Invalid", err)
	}
	if _, err := f.WriteFile(t.Context(), "pipe", nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("write: %v, want Invalid", err)
	}
	if info, err := os.Lstat(filepath.Join(root, "pipe")); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is now %v, %v", info, err)
	}
}

// Files of /proc say that they are empty and are not.
func TestProc(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here")
	}
	f := fsys.New(localfs.New(nil), "")
	data, err := f.ReadFile(t.Context(), "proc/self/status")
	if err != nil || len(data) < 100 {
		t.Errorf("read %d bytes, %v", len(data), err)
	}
	part, err := f.ReadRange(t.Context(), "proc/self/status", 0, 10)
	if err != nil || string(part) != string(data[:10]) {
		t.Errorf("read %q, %v, want %q", part, err, data[:10])
	}
	if p, ok := f.LocalPath("proc/self/status"); !ok || p != "/proc/self/status" {
		t.Errorf("LocalPath = %q, %v", p, ok)
	}
}
