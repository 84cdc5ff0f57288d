//go:build !unix || solaris || aix

package cachefs

import (
	"errors"
	"os"
)

// tryLock says that there are no locks: two processes may then do the same
// work, which harms nothing but their speed.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
