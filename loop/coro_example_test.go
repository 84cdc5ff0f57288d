package loop_test

import (
	"context"
	"fmt"
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/task"
)

// Two coroutines take turns; a group of tasks in one of them waits for all.
func ExampleLoop_Go() {
	l := loop.New(nil)
	l.Go(loop.Normal, "clock", func(ctx context.Context) error {
		for i := range 2 {
			fmt.Println("tick", i)
			if err := loop.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	l.Go(loop.Normal, "main", func(ctx context.Context) error {
		defer l.Stop()
		err := task.Run(ctx, nil, func(g *task.Group) error {
			for _, name := range []string{"a", "b"} {
				g.Go(name, func(ctx context.Context) error {
					fmt.Println(task.Path(ctx), "begins")
					err := loop.Sleep(ctx, time.Microsecond)
					fmt.Println(task.Path(ctx), "ends")
					return err
				})
			}
			return nil
		})
		fmt.Println("all ended:", err)
		return nil
	})
	fmt.Println(l.Run(context.Background()))
	// Output:
	// tick 0
	// main > a begins
	// main > b begins
	// tick 1
	// main > a ends
	// main > b ends
	// all ended: <nil>
	// <nil>
}

// What blocks goes to a goroutine; the loop goes on meanwhile.
func ExampleAwait() {
	l := loop.New(nil)
	l.Go(loop.Normal, "main", func(ctx context.Context) error {
		defer l.Stop()
		sum, err := loop.Await(ctx, func(context.Context) (int, error) {
			n := 0
			for i := range 1000 {
				n += i
			}
			return n, nil
		})
		fmt.Println(sum, err)
		return nil
	})
	_ = l.Run(context.Background())
	// Output: 499500 <nil>
}
