package caps

import "github.com/leat-dev/leat/fsys/driver"

// KeepOpen returns drv with a Close that does nothing, for a layer around a
// store that belongs to somebody else. It has the abilities of drv.
func KeepOpen(drv driver.FS) driver.FS {
	c, _ := drv.(driver.Copier)
	b, _ := drv.(driver.BatchRemover)
	l, _ := drv.(driver.LocalPather)
	return With(kept{drv}, c, b, l)
}

type kept struct{ driver.FS }

// Close implements driver.FS.
func (kept) Close() error { return nil }
