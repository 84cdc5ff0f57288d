// Package sftpfs is a storage back end for servers that speak SFTP, version
// 3 of the protocol as OpenSSH serves it.
//
// # Model
//
// An [FS] is one account on one server. A path is that of a file from the
// root of the server's file system. Calls share a few connections, which are
// made as needed; one that breaks fails the calls that use it with
// [fault.Unavailable] and is replaced. Symbolic links are followed. Create
// writes to a file named ".leat-tmp-*" in the nearest folder that exists;
// Commit makes the missing folders and renames it over the target, or links
// it where nothing may be. Listings leave such files out.
//
// # Rules
//
// An FS is safe for concurrent use. Methods block and end soon after their
// context does; the request that was under way may still take effect. The
// host key must be in a known-hosts file: nothing is trusted on first use.
// Keys come from the agent (SSH_AUTH_SOCK) and from files without a
// passphrase; ~/.ssh/config is not read. Names are bytes; an empty component,
// "." and ".." are refused. A version is made of size and time of change,
// which has whole seconds: two changes by others in one second that keep the
// size look alike. Names that the server refuses as malformed are
// [fault.Invalid]; what it only calls a failure is [fault.Unknown].
//
// # Example
//
//	f, err := sftpfs.Open(ctx, "sftp://me@host", nil)
//	…
//	defer f.Close()
//	e, err := f.Stat(ctx, "var/log/syslog")
package sftpfs
