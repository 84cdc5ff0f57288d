package caps

import "github.com/leat-dev/leat/fsys/driver"

// With returns base with the abilities among c, b and l that are not nil.
func With(base driver.FS, c driver.Copier, b driver.BatchRemover, l driver.LocalPather) driver.FS {
	type (
		fs     = driver.FS
		copier = driver.Copier
		batch  = driver.BatchRemover
		local  = driver.LocalPather
	)
	switch {
	case c != nil && b != nil && l != nil:
		return struct {
			fs
			copier
			batch
			local
		}{base, c, b, l}
	case c != nil && b != nil:
		return struct {
			fs
			copier
			batch
		}{base, c, b}
	case c != nil && l != nil:
		return struct {
			fs
			copier
			local
		}{base, c, l}
	case b != nil && l != nil:
		return struct {
			fs
			batch
			local
		}{base, b, l}
	case c != nil:
		return struct {
			fs
			copier
		}{base, c}
	case b != nil:
		return struct {
			fs
			batch
		}{base, b}
	case l != nil:
		return struct {
			fs
			local
		}{base, l}
	}
	return base
}
