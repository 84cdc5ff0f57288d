package task_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/leat-dev/leat/task"
)

func ExampleRun() {
	err := task.Run(context.Background(), &task.Options{Name: "fetch", Limit: 2}, func(g *task.Group) error {
		for _, name := range []string{"a", "b", "c"} {
			g.Go(name, func(ctx context.Context) error {
				if name == "b" {
					return errors.New("no such thing")
				}
				return nil
			})
		}
		return nil
	})
	fmt.Println(err)
	// Output: fetch > b: no such thing
}

func ExampleMap() {
	var words iter.Seq2[string, error] = func(yield func(string, error) bool) {
		for _, w := range []string{"one", "two", "three"} {
			if !yield(w, nil) {
				return
			}
		}
	}
	upper := func(_ context.Context, w string) (string, error) { return strings.ToUpper(w), nil }
	for w, err := range task.Map(context.Background(), words, &task.MapOptions{Ordered: true}, upper) {
		fmt.Println(w, err)
	}
	// Output:
	// ONE <nil>
	// TWO <nil>
	// THREE <nil>
}
