//go:build !linux

package localfs_test

import (
	"os"
	"testing"
)

// asNobody skips the test for root, whose rights cannot be taken away here.
func asNobody(t *testing.T, _ string) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("root may do everything; run as another user")
	}
}
