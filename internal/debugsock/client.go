package debugsock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// askTimeout bounds how long a process may take to answer.
const askTimeout = 5 * time.Second

// List returns the processes that have a socket in dir and answer, by number.
// It removes the sockets of processes that were killed. It blocks until all
// have answered, a few seconds if one is stopped.
func List(ctx context.Context, dir string) ([]About, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []About
	for _, e := range entries {
		if _, ok := pidOf(e.Name()); !ok {
			continue
		}
		file := filepath.Join(dir, e.Name())
		var a About
		switch err := ask(ctx, file, &a); {
		case err == nil:
			all = append(all, a)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, syscall.ECONNREFUSED): // nobody listens
			os.Remove(file)
		}
	}
	slices.SortFunc(all, func(x, y About) int { return cmp.Compare(x.PID, y.PID) })
	return all, nil
}

func ask(ctx context.Context, file string, a *About) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := get(ctx, file, "/about")
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(a)
}

// Socket returns the socket of a process in dir.
func Socket(dir string, pid int) string { return filepath.Join(dir, strconv.Itoa(pid)+suffix) }

// Get returns the tree of the tasks of the process behind a socket, as text
// or as lines of JSON. The caller closes it. The error is [fs.ErrNotExist] if
// there is no such socket or nobody listens on it.
func Get(ctx context.Context, file string, asJSON bool) (io.ReadCloser, error) {
	path := "/"
	if asJSON {
		path = "/?format=json"
	}
	body, err := get(ctx, file, path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, &fs.PathError{Op: "connect", Path: file, Err: fs.ErrNotExist}
	}
	return body, err
}

func get(ctx context.Context, file, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://leat"+path, nil)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	rt := &http.Transport{
		DisableKeepAlives:     true,
		ResponseHeaderTimeout: askTimeout,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", file)
		},
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", file, resp.Status)
	}
	return resp.Body, nil
}
