package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Who may use a cluster: whoever has its token. "leat up" makes one and puts
// it where only its user can read it, under the address of the cluster, so
// that workers and clients of the same user need not be told. Others pass it
// in the URL: nats://TOKEN@host:port.

// newToken returns the token of a cluster: that of an earlier run on the same
// directory, whose workers and clients still have it, or a new one.
func newToken(dir string) (string, error) {
	if dir == "" {
		return rand.Text(), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "token")
	data, err := os.ReadFile(file)
	switch {
	case err == nil && len(strings.TrimSpace(string(data))) > 0:
		return strings.TrimSpace(string(data)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	token := rand.Text()
	return token, os.WriteFile(file, []byte(token+"\n"), 0o600)
}

// tokenFile is where the token of the cluster at an address is.
func tokenFile(host string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the token of the cluster: %w", err)
	}
	return filepath.Join(cache, "leat", "clusters", url.PathEscape(host)), nil
}

// publishToken lets processes of the same user find the token; forget undoes
// that.
func publishToken(clusterURL, token string) (forget func(), err error) {
	u, err := url.Parse(clusterURL)
	if err != nil {
		return nil, err
	}
	file, err := tokenFile(u.Host)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	tmp := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(tmp, []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, file); err != nil {
		os.Remove(tmp)
		return nil, err
	}
	return func() { os.Remove(file) }, nil
}

// clusterToken returns the token for a cluster URL: the one in the URL, else
// the one that was published for its address, else none.
func clusterToken(clusterURL string) (string, error) {
	u, err := url.Parse(clusterURL)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return "", &usageError{msg: fmt.Sprintf("--cluster %q is no cluster URL", clusterURL), hint: "it looks like nats://host:port; leat up prints it"}
	}
	if u.User != nil {
		return u.User.Username(), nil
	}
	file, err := tokenFile(u.Host)
	if err != nil {
		return "", nil // a cluster without a token may be meant
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}
