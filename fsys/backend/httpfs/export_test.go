package httpfs

// Child is tested as it is.
var Child = child

// BaseOf returns the URL of a server.
func BaseOf(f *FS) string { return f.base.String() }
