package httpfs

import (
	"context"
	"iter"

	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/dirwalk"
)

// List yields what the index page of dir links to. A recursive listing reads
// some index pages ahead of the loop. A directory below dir that has gone by
// the time it is read is left out; any other failure ends the listing.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return dirwalk.List(ctx, dir, opts, f.ahead, f.index)
}
