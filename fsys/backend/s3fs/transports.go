package s3fs

import (
	"time"

	"github.com/leat-dev/leat/internal/httpwire"
)

// The transports that all stores of the process share.
//
// Bodies that are read have connections of their own: their reader may be
// waiting for another request, as a copy from one object to another does,
// and would wait for ever if bodies had taken all connections.
var (
	sharedBodies = httpwire.Shared{Options: httpwire.Options{MaxConns: 1024}}
	// A copy or the completion of an upload may be silent for minutes.
	sharedControl = httpwire.Shared{Options: httpwire.Options{MaxConns: 512, StallTimeout: 5 * time.Minute}}
)
