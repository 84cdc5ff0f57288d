package cluster

// Join is [StartWorker] on a connection of its own to the server at a NATS
// URL. Errors have kind [fault.Unavailable] when nobody is there; after that
// the worker reconnects for as long as it lives.
func Join(url string, opts *WorkerOptions) (*Worker, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	nc, err := connect(url, o.Token, "leat worker "+o.Name)
	if err != nil {
		return nil, err
	}
	return startWorker(newBus(nc), o)
}
