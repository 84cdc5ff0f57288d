// Package httpwire is what the HTTP back ends share: the transport, the
// classification of what can go wrong on the way, and a reader that counts.
//
// # Model
//
// [NewTransport] makes the one kind of transport leat uses: HTTP/1.1, many
// kept-alive connections to one host, nothing compressed or proxied behind
// the caller's back, and every connection watched for stalls. [Do] sends one
// request on it. [Reader] is a [driver.Reader] over a response body.
//
// # Rules
//
// Nothing here retries or follows redirects. A response that is cut off, or
// shorter than it said, is an error of kind [fault.Unavailable], never a
// plain end of file. A Reader belongs to one goroutine; everything else is
// safe for concurrent use.
//
// # Example
//
//	t := httpwire.NewTransport(&httpwire.Options{MaxConns: 64})
//	resp, err := httpwire.Do(t, req)
//	if err != nil {
//		return fault.New("open", path, httpwire.KindOf(ctx, err), err)
//	}
package httpwire
