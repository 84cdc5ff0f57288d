package rofs

import (
	"context"
	"errors"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// New returns drv without what changes it. It does not block. Closing the
// result closes drv.
func New(drv driver.FS) driver.FS { return layer{drv} }

// layer embeds the interface, so that no ability of the value shows through.
type layer struct{ driver.FS }

var errReadOnly = errors.New("the file system is read-only")

// Create implements [driver.FS].
func (layer) Create(ctx context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, refuse(ctx, "create", path)
}

// Remove implements [driver.FS].
func (layer) Remove(ctx context.Context, path string) error {
	return refuse(ctx, "remove", path)
}

func refuse(ctx context.Context, op, path string) error {
	if err := ctx.Err(); err != nil {
		return fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	return fault.New(op, path, fault.Refused, errReadOnly)
}
