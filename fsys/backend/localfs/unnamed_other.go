//go:build !linux

package localfs

import (
	"errors"
	"os"
)

// Files without a name are a matter of Linux.

func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func unnamedPath(file *os.File) string { return file.Name() }

func linkUnnamed(*os.File, string) error { return errors.ErrUnsupported }
