package loop

// A mask is a set of the ways in which a descriptor can be ready.
type mask uint8

const (
	readable mask = 1 << iota
	writable
)

// A poller knows which descriptors are ready. All methods but wake are for
// the loop's goroutine.
type poller interface {
	// control has fd watched for want instead of have; zero means not at all.
	control(fd int, have, want mask) error
	// look calls found for descriptors that are ready now, a bounded number
	// of them and each of those in its turn, and never blocks.
	look(found func(fd int, is mask)) error
	// sleep is look, but waits until there is one or wake is called.
	sleep(found func(fd int, is mask)) error
	// wake ends a sleep, or the next one. It is safe from any goroutine, also
	// after close.
	wake()
	close() error
}

// maxEvents is how many ready descriptors one look takes in. Each gets one
// callback from it, so it also bounds how long other news can wait.
const maxEvents = 256
