package archive

import (
	"errors"
	"fmt"
	"strings"
)

// MaxName is the longest name in bytes: more than any file system or object
// store takes, and little enough that the directories it implies are few.
const MaxName = 4096

// CheckName says why a name is refused in an archive, or nil. A name that is
// absolute or has a component "." or ".." could leave the folder it is
// unpacked in; one that ends in "/" is a directory's. Any other byte may
// stand in a name, except NUL.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d bytes; %d is the most", len(name), MaxName)
	case name[0] == '/':
		return errors.New("the name is absolute")
	case name[len(name)-1] == '/':
		return errors.New(`the name ends in "/"`)
	case strings.IndexByte(name, 0) >= 0:
		return errors.New("the name has a NUL byte")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("the name has the component %q", part)
		}
	}
	return nil
}

// CleanMember turns the name of a member as it is written in an archive into
// a path, and says whether it is a directory's: "./" at the beginning and
// "/" at the end are dropped, everything else stays as it is.
func CleanMember(name string) (path string, dir bool) {
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	if name == "." {
		return "", true
	}
	path = strings.TrimRight(name, "/")
	return path, len(path) < len(name) || path == ""
}
