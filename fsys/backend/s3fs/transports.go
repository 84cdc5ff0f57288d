package s3fs

import (
	"net/http"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/httpwire"
)

// transports are shared by all stores of the process and end with the last.
//
// Bodies that are read have connections of their own: their reader may be
// waiting for another request, as a copy from one object to another does,
// and would wait for ever if bodies had taken all connections.
var transports struct {
	sync.Mutex
	users           int
	bodies, control *http.Transport
}

// acquireTransports returns the shared transports and counts the caller as a
// user, until it calls releaseTransports.
func acquireTransports() (bodies, control *http.Transport) {
	t := &transports
	t.Lock()
	defer t.Unlock()
	if t.users == 0 {
		t.bodies = httpwire.NewTransport(&httpwire.Options{MaxConns: 1024})
		// A copy or the completion of an upload may be silent for minutes.
		t.control = httpwire.NewTransport(&httpwire.Options{MaxConns: 512, StallTimeout: 5 * time.Minute})
	}
	t.users++
	return t.bodies, t.control
}

func releaseTransports() {
	t := &transports
	t.Lock()
	defer t.Unlock()
	if t.users--; t.users == 0 {
		t.bodies.CloseIdleConnections()
		t.control.CloseIdleConnections()
	}
}
