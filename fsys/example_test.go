package fsys_test

import (
	"context"
	"fmt"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
)

func ExampleFS_Glob() {
	ctx := context.Background()
	f := fsys.New(memfs.New(), "mem://logs")
	for _, path := range []string{"2026/01/a.gz", "2026/01/b.txt", "2026/02/c.gz"} {
		if _, err := f.WriteFile(ctx, path, []byte("line\n")); err != nil {
			fmt.Println(err)
		}
	}
	for e, err := range f.Glob(ctx, "2026/**/*.gz", nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(f.URL(e.Path), e.Size)
	}
	// Output:
	// mem://logs/2026/01/a.gz 5
	// mem://logs/2026/02/c.gz 5
}

func ExampleFS_Create() {
	ctx := context.Background()
	f := fsys.New(memfs.New(), "mem://scratch")
	write := func() error {
		w, err := f.Create(ctx, "report", nil)
		if err != nil {
			return err
		}
		defer w.Abort() // does nothing after Commit
		if _, err := fmt.Fprintln(w, "all is well"); err != nil {
			return err
		}
		_, err = w.Commit(ctx)
		return err
	}
	if err := write(); err != nil {
		fmt.Println(err)
	}
	data, err := f.ReadFile(ctx, "report")
	fmt.Print(string(data), err)
	// Output:
	// all is well
	// <nil>
}

func ExampleMux() {
	ctx := context.Background()
	mux := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend()})
	defer mux.Close()
	f, path, err := mux.Resolve(ctx, "mem://example/a b/c#1")
	fmt.Println(f.Root(), path, err)
	_, _, err = mux.Resolve(ctx, "gopher://example/")
	fmt.Println(err)
	// Output:
	// mem://example a b/c#1 <nil>
	// resolve: gopher://example/: unknown scheme "gopher"; known are mem
}
