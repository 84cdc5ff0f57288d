// Package bulk copies, moves, syncs, removes, prints and counts many objects
// at once.
//
// # Model
//
// A plan says what would be done to which objects: [PlanCopy], [PlanMove],
// [PlanSync] and [PlanRemove] resolve what the user named, apply the rules and
// change nothing, so that a plan can be shown instead of run. [Copy], [Move],
// [Sync], [Remove] and [Cat] run one with hundreds of requests in flight. Each
// item ends in exactly one [Event]: done, failed, skipped or canceled. A
// [Summary] counts them and keeps the first errors. A [Filter] selects among
// what was named; [Du] adds up what is there.
//
// Where a copy lands is decided by how the arguments are spelled, never by
// what happens to exist: see [PlanCopy]. A sync lists both sides at once and
// pairs them by name, in memory for what is listed ahead.
//
// # Rules
//
// The functions block until all their work has ended, and return soon after
// ctx ends; unfinished writes are aborted, so no object is ever there in
// part. Nothing is removed on the word of a listing that broke off, and no
// source of a move before its copy is known to be good. A failed item stops nothing but itself and is no error of the run:
// the run returns an [ItemsError] at its end. Memory is bounded by
// [Options].Window whatever the sizes and however slow the reader. Requests
// are counted in [task.Requests], which all callers in the process share.
// Plans are sequences and belong to one goroutine; [Progress] is safe for
// concurrent use.
//
// # Example
//
//	plan, err := bulk.PlanCopy(ctx, mux, []string{"s3://logs/2026/**/*.gz"}, "backup/", nil)
//	if err != nil {
//		return err
//	}
//	sum, err := bulk.Copy(ctx, plan, &bulk.Options{Jobs: 512})
//	fmt.Println(sum.Done, "copied,", sum.Failed, "failed")
package bulk
