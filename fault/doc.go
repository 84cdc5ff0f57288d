// Package fault says what went wrong: which operation, on what path, and
// what the caller can do about it.
//
// # Model
//
// An [Error] has the shape of [io/fs.PathError] with one addition, a [Kind].
// The kind is a closed, numbered vocabulary. The innermost layer that knows
// the cause chooses it once; the layers above pass the error on unchanged.
//
// # Rules
//
// Errors are values and safe for concurrent use. [errors.Is] works with the
// sentinels of the standard library ([io/fs.ErrNotExist], [io/fs.ErrExist],
// [io/fs.ErrPermission], [context.Canceled], …) on both sides of a wire:
// [Error.MarshalJSON] and [Error.UnmarshalJSON] keep op, path, kind, text and
// origin. Messages read "op: path: cause", lower case, without "failed to".
//
// # Example
//
//	return fault.New("open", path, fault.NotExist, err)
//	…
//	if errors.Is(err, fs.ErrNotExist) { … }
//	if fault.KindOf(err).Temporary() { … }
package fault
