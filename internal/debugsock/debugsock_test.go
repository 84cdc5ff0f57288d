package debugsock_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/internal/debugsock"
	"github.com/leat-dev/leat/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, dir string) (stop func()) {
	t.Helper()
	stop, err := debugsock.Serve(dir, "test x")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("skipped because this system has no debug sockets")
	}
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

func TestServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	file := debugsock.Socket(dir, os.Getpid())
	stop := serve(t, dir)
	for path, want := range map[string]fs.FileMode{dir: 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	err := task.Run(t.Context(), &task.Options{Name: "work"}, func(g *task.Group) error {
		g.GoLater("one", func(ctx context.Context) error {
			defer task.Waiting(ctx, "the test").Done()
			for asJSON, want := range map[bool]string{false: "for the test", true: `"for":"the test"`} {
				body, err := debugsock.Get(ctx, file, asJSON)
				if err != nil {
					return err
				}
				text, err := io.ReadAll(body)
				body.Close()
				if err != nil || !strings.Contains(string(text), want) {
					t.Errorf("json %v: %s, %v", asJSON, text, err)
				}
			}
			list, err := debugsock.List(ctx, dir)
			if err != nil || len(list) != 1 || list[0].PID != os.Getpid() || list[0].Command != "test x" ||
				list[0].Tasks != 2 || list[0].Waiting != 1 {
				t.Errorf("list: %+v, %v", list, err)
			}
			return nil
		})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	stop()
	if _, err := debugsock.Get(t.Context(), file, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

// A socket that a killed process left is no process, and goes.
func TestListForgetsTheDead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := debugsock.Socket(dir, 1<<30)
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Skip("skipped because this system has no unix sockets")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if list, err := debugsock.List(t.Context(), dir); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if list, err := debugsock.List(t.Context(), filepath.Join(dir, "none")); err != nil || list != nil {
		t.Errorf("no directory: %+v, %v", list, err)
	}
}

// A directory that others can enter is refused: the socket in it could be
// somebody else's.
func TestOpenDirectoryIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped because Windows has no modes")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if stop, err := debugsock.Serve(dir, "x"); err == nil {
		stop()
		t.Error("served in a directory of mode 0755")
	}
}
