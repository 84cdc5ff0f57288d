// Package tracefs is a layer that counts and times what a store is asked.
//
// # Model
//
// [Metrics] holds one set of numbers for each operation: calls, failures by
// kind, calls under way, bytes, entries, and how long it took. Any number of
// layers may share one Metrics. Besides, [Options.OnEvent] is told of each
// operation when it has ended.
//
// Operations are "stat", "list", "open", "read", "create", "write",
// "commit", "abort", "remove" and "copy". A whole listing, body or upload is
// one operation; its time is that spent in the store, without that of the
// caller between two entries or pieces. "write" ends with the upload, whose
// last step is counted as "commit" or "abort" besides.
//
// # Rules
//
// Layer and Metrics are safe for concurrent use. An operation costs some
// atomic additions; a read of a body two clock readings. The layer has the
// optional abilities of what it wraps. Paths are given to OnEvent and appear
// in no metric. [Metrics.WritePrometheus] writes the text format, so that no
// library is needed to serve it.
//
// # Example
//
//	var m tracefs.Metrics
//	drv = tracefs.New(drv, &tracefs.Options{Metrics: &m})
//	…
//	m.WritePrometheus(w, `store="s3"`)
package tracefs
