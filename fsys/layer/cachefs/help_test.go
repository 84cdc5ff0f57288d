package cachefs_test

import (
	"slices"
	"strings"
)

// localBad reports whether a directory tree cannot hold the name.
func localBad(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || p == "." || p == ".." })
}

func child() bool { return false }
