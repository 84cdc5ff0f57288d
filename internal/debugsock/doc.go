// Package debugsock lets one process look at the tasks of another.
//
// # Model
//
// A process that calls [Serve] listens on a unix socket, named after its
// process number, in a directory that only its user can enter. It answers
// over HTTP: / is the tree of its tasks, as [task.Handler] shows it, and
// /about says what the process is. [List] finds the processes of the user,
// [Get] asks one.
//
// # Rules
//
// Only the same user, and root, are answered: the directory is 0700, the
// socket 0600, and the other side's user is asked of the system. Nothing
// can be changed through the socket. Until somebody asks it costs one
// goroutine that waits. Systems that cannot tell who is on the other side
// have no sockets: there Serve returns an error of [errors.ErrUnsupported].
//
// # Example
//
//	stop, err := debugsock.Serve(dir, "leat map 's3://bucket/**'")
//	if err == nil {
//		defer stop()
//	}
//	...
//	tree, err := debugsock.Get(ctx, debugsock.Socket(dir, pid), false)
package debugsock
