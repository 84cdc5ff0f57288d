package scratch

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// lockName is the file in each directory that says whether it is in use.
const lockName = ".lock"

// A Dir is a temporary directory. Its methods are safe for concurrent use.
type Dir struct {
	path string
	lock *os.File
	once sync.Once
	err  error
}

// Make makes a directory, readable by this user only, whose name begins with
// prefix, in parent or in the system's place for temporary files when parent
// is empty. It first removes those of the same prefix that killed processes
// left there. It blocks for a few file operations.
func Make(parent, prefix string) (*Dir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent, prefix)
	// A directory without a lock file looks abandoned, so it gets its name
	// only once it has one.
	tmp, err := os.MkdirTemp(parent, "."+prefix)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(tmp, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if _, err = tryLock(f); err == nil {
			path := filepath.Join(parent, strings.TrimPrefix(filepath.Base(tmp), "."))
			if err = os.Rename(tmp, path); err == nil {
				return &Dir{path: path, lock: f}, nil
			}
		}
		f.Close()
	}
	os.RemoveAll(tmp)
	return nil, err
}

// Path returns the name of the directory.
func (d *Dir) Path() string { return d.path }

// Remove removes the directory with all that is in it. Further calls do
// nothing and return the same.
func (d *Dir) Remove() error {
	d.once.Do(func() {
		d.err = removeAll(d.path)
		d.lock.Close()
	})
	return d.err
}

// sweep removes the directories of processes that are gone. What cannot be
// removed, such as those of other users, is passed over.
func sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			removeAbandoned(filepath.Join(parent, e.Name()))
		}
	}
}

func removeAbandoned(path string) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if err != nil {
		os.Remove(path) // only if it is empty: its removal was cut short
		return
	}
	defer f.Close()
	if free, err := tryLock(f); err == nil && free {
		_ = removeAll(path)
	}
}

// removeAll removes a directory, the lock file last: when it is cut short,
// the next sweep goes on.
func removeAll(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(path)
}
