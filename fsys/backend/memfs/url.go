package memfs

import (
	"context"
	"errors"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

const scheme = "mem://"

// Backend returns how "mem://name/path" plugs into a [fsys.Mux]. The name
// goes to the first "/"; the path is every byte after it.
func Backend() fsys.Backend {
	return fsys.Backend{
		Split: split,
		Join:  func(root, path string) string { return root + "/" + path },
		Open: func(_ context.Context, root string) (driver.FS, error) {
			return Open(root[len(scheme):]), nil
		},
	}
}

func split(url string, pattern bool) (root, path string, err error) {
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return "", "", fault.New("split", url, fault.Invalid, errors.New("not a mem:// URL"))
	}
	name, path, _ := strings.Cut(url[len(scheme):], "/")
	if name == "" {
		return "", "", fault.New("split", url, fault.Invalid, errors.New("the name of a store is missing: mem://name/path"))
	}
	if pattern && fsys.HasMeta(name) {
		return "", "", fault.New("split", url, fault.Invalid, errors.New("the name of a store has no wildcards"))
	}
	return scheme + name, path, nil
}
