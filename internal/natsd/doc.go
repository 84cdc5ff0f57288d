// Package natsd runs a NATS server with JetStream inside this process.
//
// # Model
//
// [Start] starts a server that keeps its streams in a folder. Without a
// listen address it has no port at all and is reached through
// [Server.Conn] only; with one it serves other processes on loopback too.
// [Check] says whether a server that somebody else runs can do what the
// cluster needs.
//
// # Rules
//
// A [Server] is safe for concurrent use. [Server.Close] ends its
// connections, its goroutines and, where the folder was its own, removes the
// folder. Nothing listens beyond loopback: there is no TLS here yet.
// With Sync every append is on disk before it is acknowledged.
//
// # Example
//
//	s, err := natsd.Start(natsd.Options{})
//	…
//	defer s.Close()
//	nc, err := s.Conn()
package natsd
