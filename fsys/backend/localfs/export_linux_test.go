package localfs

import "testing"

// OnlyNamed makes temporary files have names for the rest of the test, as on
// disks that know no others.
func OnlyNamed(t *testing.T) {
	old := hasProc
	hasProc = func() bool { return false }
	t.Cleanup(func() { hasProc = old })
}
