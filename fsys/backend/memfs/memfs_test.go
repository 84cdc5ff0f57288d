package memfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/drivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return drivertest.Harness{FS: memfs.New()}
	})
}
