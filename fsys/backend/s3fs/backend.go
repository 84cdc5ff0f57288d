package s3fs

import (
	"context"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

// Backend returns how the scheme s3 plugs into a mux. All stores are opened
// with opts, which may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Split: Split,
		Join:  Join,
		Open: func(ctx context.Context, root string) (driver.FS, error) {
			f, err := Open(ctx, root, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}
