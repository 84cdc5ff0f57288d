package sftpfs

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

const scheme = "sftp://"

// Backend returns how "sftp://user@host:port/path" plugs into a mux. The path
// is every byte after the slash, from the root of the server. opts may be
// nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Split: Split,
		Join:  func(root, path string) string { return root + "/" + path },
		Open: func(ctx context.Context, root string) (driver.FS, error) {
			f, err := Open(ctx, root, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// Split cuts "sftp://user@host:port/path" into the server and the path. It is
// the Split of a backend.
func Split(url string, _ bool) (root, path string, err error) {
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return "", "", fault.New("split", url, fault.Invalid, errors.New("not an sftp:// URL"))
	}
	server, path, _ := strings.Cut(url[len(scheme):], "/")
	a, err := parseServer(server)
	if err != nil {
		if strings.Contains(server, ":") && strings.Contains(server, "@") {
			url = scheme + "…" // it may hold a password
		}
		return "", "", fault.New("split", url, fault.Invalid, err)
	}
	return a.root(), path, nil
}

// A server is the part of a URL before the path.
type server struct {
	user string // "" for that of this process
	host string
	port int // 0 for 22
}

func parseServer(text string) (server, error) {
	var s server
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		s.user, text = text[:i], text[i+1:]
		if strings.Contains(s.user, ":") {
			return s, errors.New("a password in a URL is not supported; it would show in listings and messages")
		}
		if s.user == "" {
			return s, errors.New(`the user before "@" is missing`)
		}
	}
	s.host = text
	if strings.HasPrefix(text, "[") || strings.Count(text, ":") == 1 {
		host, port, err := net.SplitHostPort(text)
		if err != nil && strings.HasSuffix(text, "]") {
			host, err = strings.TrimSuffix(text[1:], "]"), nil
		}
		if err != nil {
			return s, errors.New("the host is wrong: write host, host:port or [address]:port")
		}
		if s.host = host; port != "" {
			if s.port, err = strconv.Atoi(port); err != nil || s.port < 1 || s.port > 65535 {
				return s, errors.New("the port is not a number from 1 to 65535")
			}
		}
	}
	if s.host = strings.ToLower(s.host); s.host == "" || strings.ContainsAny(s.host, " \t\r\n?#[]*") {
		return s, errors.New("the host is missing or wrong: sftp://user@host/path")
	}
	return s, nil
}

// root is the server's part of a URL in one spelling.
func (s server) root() string {
	host := s.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if s.user != "" {
		host = s.user + "@" + host
	}
	if s.port != 0 && s.port != 22 {
		host += ":" + strconv.Itoa(s.port)
	}
	return scheme + host
}

// address is what to dial.
func (s server) address() string {
	port := s.port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(s.host, strconv.Itoa(port))
}

// account is the user to log in as.
func (s server) account() string {
	for _, name := range []string{s.user, os.Getenv("USER"), os.Getenv("LOGNAME"), os.Getenv("USERNAME")} {
		if name != "" {
			return name
		}
	}
	return "root"
}
