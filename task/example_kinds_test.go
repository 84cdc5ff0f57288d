package task_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leat-dev/leat/task"
)

func ExampleRace() {
	won, err := task.Race(context.Background(), nil, func(t *task.Tasks[string]) error {
		t.Go("mirror", func(context.Context) (string, error) { return "", errors.New("connection refused") })
		t.Go("origin", func(context.Context) (string, error) { return "data", nil })
		return nil
	})
	fmt.Println(won.Name, won.Value, err)
	// Output: origin data <nil>
}

func ExampleCollect() {
	got, err := task.Collect(context.Background(), nil, func(t *task.Tasks[int]) error {
		for i, name := range []string{"a", "b", "c"} {
			t.Go(name, func(context.Context) (int, error) { return i * i, nil })
		}
		return nil
	})
	fmt.Println(got, err)
	// Output: [{a 0} {b 1} {c 4}] <nil>
}

func ExampleStart() {
	_ = task.Run(context.Background(), nil, func(g *task.Group) error {
		port, err := task.Start(g.Context(), g, "server", func(ctx context.Context, started func(int)) error {
			started(8080) // listens now, and goes on
			return nil
		})
		fmt.Println(port, err)
		return nil
	})
	// Output: 8080 <nil>
}

func ExampleMoveOn() {
	late, err := task.MoveOn(context.Background(), time.Millisecond, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	fmt.Println(late, err)
	// Output: true <nil>
}

func ExampleTree() {
	_ = task.Run(context.Background(), &task.Options{Name: "download"}, func(g *task.Group) error {
		g.GoLater("a.txt", func(ctx context.Context) error {
			defer task.Waiting(ctx, "GET example.org/a.txt").Done()
			for _, info := range task.All() {
				if len(info.Waits) > 0 {
					fmt.Println(info.Path, info.State, "for", info.Waits[0].For)
				}
			}
			return nil
		})
		return nil
	})
	// Output: download > a.txt waits for GET example.org/a.txt
}
