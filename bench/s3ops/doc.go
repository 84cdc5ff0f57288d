// S3ops compares tools at working on many small S3 objects that are far away.
//
// It builds the tools, starts an S3 server and a relay that adds latency,
// makes objects, and lets the tools take turns at one operation on all of
// them, at several concurrencies: get, put, delete, copy inside the store, or
// list. The output is a Markdown table of medians. What a tool did is checked;
// a run that did too little ends the program.
//
//	go run ./bench/s3ops -op get -rounds 5 -delay 20ms -jobs 64,128,256,512
//	go run ./bench/s3ops -op list -objects 100000
//
// It must be started in the root of the repository. rclone takes part when it
// is installed.
package main
