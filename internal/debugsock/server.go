package debugsock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/task"
)

// About describes a process.
type About struct {
	// PID is its process number.
	PID int `json:"pid"`
	// Command is what it does, as given to [Serve].
	Command string `json:"command"`
	// Started is when Serve was called.
	Started time.Time `json:"started"`
	// Tasks is how many tasks it has, Waiting how many of them wait for
	// something that is known.
	Tasks   int `json:"tasks"`
	Waiting int `json:"waiting"`
}

// Dir returns the directory of the sockets: below XDG_RUNTIME_DIR or else
// below the cache directory of the user.
func Dir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "leat", "debug"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for debug sockets: %w", err)
	}
	return filepath.Join(dir, "leat", "debug"), nil
}

const suffix = ".sock"

// Serve answers questions about this process on a socket in dir, which is
// made if need be, until stop is called. stop removes the socket and waits
// for requests in progress. Serve does not block. command is shown to who
// asks; it must hold no secrets.
func Serve(dir, command string) (stop func(), err error) {
	if !supported {
		return nil, fmt.Errorf("debug socket: %w", errors.ErrUnsupported)
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, strconv.Itoa(os.Getpid())+suffix)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // a process of this number that was killed has left one
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return nil, fmt.Errorf("debug socket: %w", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	srv := &http.Server{Handler: handler(command), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { // owner: stop, which closes the server and waits
		defer close(done)
		_ = srv.Serve(ownUser{l})
	}()
	return func() {
		srv.Close()
		<-done
	}, nil
}

// makeDir makes dir, and makes sure that nobody else can enter it.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !owned(info) {
		return fmt.Errorf("debug socket: %s must be a directory of mode 0700 of the current user", dir)
	}
	return nil
}

func handler(command string) http.Handler {
	started := time.Now()
	mux := http.NewServeMux()
	mux.Handle("/", task.Handler())
	mux.HandleFunc("/about", func(w http.ResponseWriter, _ *http.Request) {
		a := About{PID: os.Getpid(), Command: command, Started: started}
		a.Tasks, a.Waiting = task.Tree().Count()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a)
	})
	return mux
}

// ownUser accepts connections of the same user, and of root, only.
type ownUser struct{ net.Listener }

// Accept implements [net.Listener].
func (l ownUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(c.(*net.UnixConn)); err == nil && (uid == os.Geteuid() || uid == 0) {
			return c, nil
		}
		c.Close()
	}
}

// pidOf returns the process number in the name of a socket.
func pidOf(name string) (int, bool) {
	pid, err := strconv.Atoi(strings.TrimSuffix(name, suffix))
	return pid, err == nil && strings.HasSuffix(name, suffix)
}
