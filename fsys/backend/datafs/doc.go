// Package datafs is a storage back end for "data:" URLs (RFC 2397): small
// objects that are written where their name would stand.
//
// # Model
//
// An [FS] is the store of all of them. A path is the URL without "data:",
// byte by byte: "text/plain;base64,aGVsbG8=". Its object is what stands
// behind the first comma, with percent escapes decoded, and base64 where the
// part before the comma ends in ";base64". There is nothing to list.
//
// # Rules
//
// An FS is safe for concurrent use and sends no request. Base64 may be of the
// standard or the URL alphabet, with or without padding; white space in it is
// skipped. What cannot be decoded is [fault.Invalid]. A pattern has no
// wildcards.
//
// # Example
//
//	data, err := fsys.New(datafs.New(), "data:").ReadFile(ctx, ",hello%20world")
package datafs
