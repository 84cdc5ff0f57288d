// Package peer moves values between workers: the store in which a worker
// keeps what it made, and the HTTP data plane over which others fetch it.
//
// # Model
//
// A [Store] maps keys to bytes. Small values stay in memory, large ones and
// those past the memory budget live in files of a directory that is private
// to the store and goes away with it. A value never changes: putting a key
// again replaces the whole value, and who reads the old one reads on. Every
// value has a size and a CRC-32C, computed once when it is put.
//
// A [Server] shows a store over HTTP/1.1:
//
//	GET  /v1/o/KEY   one value; Range, If-Match and HEAD work
//	PUT  /v1/o/KEY   store a value; If-None-Match: * keeps an old one
//	POST /v1/fetch   many values in one answer
//
// KEY is the key in unpadded base64url. The checksum travels in the header
// Leat-Crc32c (eight hex digits); the ETag is different for each put. The
// body of a fetch is frames of a key each: its length (uint32, little
// endian) and its bytes. The answer is a frame for each key, in order: index
// (uint32), status (uint32: 200, 404 or 500), length (uint64), CRC-32C
// (uint32), then length bytes.
//
// A [Client] fetches from any server by address. It checks length and
// checksum, and goes on where a broken connection left off, pinned to the
// ETag, so that what it returns is one whole value or an error.
//
// # Rules
//
// All types are safe for concurrent use, except readers and writers of one
// value, which belong to one goroutine. Errors are [fault.Error] values:
// NotExist means that the peer answered and does not have the key;
// Unavailable and Timeout that it could not be asked; Corrupt that the bytes
// were not those that were put. Whoever makes a store, server or client
// closes it; the server before the store.
//
// # Example
//
//	store, err := peer.NewStore(nil)
//	…
//	srv, err := peer.NewServer(store, &peer.ServerOptions{Token: token})
//	…
//	store.Put("k", []byte("value"))
//	c := peer.NewClient(&peer.ClientOptions{Token: token})
//	data, err := c.Get(ctx, srv.Addr(), "k")
package peer
