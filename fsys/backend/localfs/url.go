package localfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

const scheme = "file://"

// Backend returns how names without a scheme and "file://" plug into a
// [fsys.Mux]. Everything after "file://" is the name, nothing is decoded. A
// relative name is below the working directory at the time of the call.
// Empty components, "." and ".." are resolved by their spelling, without
// looking at links. opts may be nil; its Root is not used.
func Backend(opts *Options) fsys.Backend {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Root = ""
	return fsys.Backend{
		Split: split,
		Join:  joinURL,
		Open:  func(context.Context, string) (driver.FS, error) { return New(&o), nil },
	}
}

// joinURL returns the absolute name: shorter than a URL, and what people
// write.
func joinURL(_, path string) string {
	if runtime.GOOS == "windows" && path != "" {
		return path
	}
	return "/" + path
}

func split(url string, pattern bool) (root, path string, err error) {
	name := url
	if len(name) >= len(scheme) && strings.EqualFold(name[:len(scheme)], scheme) {
		name = name[len(scheme):]
	}
	if name == "" {
		return "", "", fault.New("split", url, fault.Invalid, errors.New("the name is empty"))
	}
	if !pattern {
		name = filepath.ToSlash(name)
	}
	if !strings.HasPrefix(name, "/") && !filepath.IsAbs(name) {
		wd, err := os.Getwd()
		if err != nil {
			return "", "", failure("split", url, err)
		}
		wd = filepath.ToSlash(wd)
		if pattern {
			wd = fsys.QuoteMeta(wd)
		}
		name = wd + "/" + name
	}
	path, err = clean(name, pattern)
	if err != nil {
		return "", "", fault.New("split", url, fault.Invalid, err)
	}
	return scheme, path, nil
}

// clean resolves empty components, "." and "..". Of a pattern the trailing
// "/" stays, because it asks for directories.
func clean(name string, pattern bool) (string, error) {
	parts := make([]string, 0, strings.Count(name, "/")+1)
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			parts = append(parts, part)
		case len(parts) > 0:
			last := parts[len(parts)-1]
			if pattern && wild(last) {
				return "", errors.New(`".." cannot follow a wildcard`)
			}
			parts = parts[:len(parts)-1]
		}
	}
	path := strings.Join(parts, "/")
	if pattern && path != "" && strings.HasSuffix(name, "/") {
		path += "/"
	}
	return path, nil
}

// wild reports whether a component has wildcards, not only quoted bytes.
func wild(component string) bool {
	for i := 0; i < len(component); i++ {
		switch component[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}
