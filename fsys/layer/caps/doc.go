// Package caps gives a layer the optional abilities of what it wraps.
//
// # Model
//
// The optional interfaces of package driver are discovered by type
// assertion, so a layer must have exactly those methods that the file system
// below has. [With] returns a value that has.
//
// # Rules
//
// The result is as safe for concurrent use as its parts. It does not block.
//
// # Example
//
//	var c driver.Copier
//	if below, ok := drv.(driver.Copier); ok {
//		c = myCopier{below}
//	}
//	return caps.With(layer, c, nil, nil)
package caps
