// S3cat compares tools at reading many small S3 objects that are far away.
//
// It builds the tools, starts an S3 server and a relay that adds latency,
// uploads objects, and lets the tools take turns at reading all of them, at
// several concurrencies. The output is a Markdown table of medians. What a
// tool read is counted; a run that read too little ends the program.
//
//	go run ./bench/s3cat -rounds 5 -delay 20ms -jobs 64,128,256,512
//
// It must be started in the root of the repository.
package main
