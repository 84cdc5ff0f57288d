// Delay is a TCP relay that adds latency on the loopback interface.
//
// It holds every chunk that a client sends for the given time before it
// passes it on; what the server answers is passed on at once. So a request
// on a connection is late by the delay, however many connections there are,
// and bytes flow at full speed in between. It knows nothing of HTTP.
//
//	delay -listen 127.0.0.1:9001 -to 127.0.0.1:9000 -delay 20ms
package main
