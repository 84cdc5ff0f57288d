package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/leat-dev/leat/task"
)

// The command line that "leat ps" lists has no tokens and no queries.
func TestCommandLineHidesSecrets(t *testing.T) {
	got := commandLine([]string{
		"map", "--cluster", "nats://TOKEN@127.0.0.1:4222", "--cluster=nats://u:TOKEN@h/x",
		"https://h/p?sig=TOKEN", "s3://b/a@b/k?", "https://%zz:TOKEN@h/y?TOKEN", "a\nb",
	})
	want := `leat map --cluster nats://127.0.0.1:4222 --cluster=nats://h/x https://h/p s3://b/a@b/k https://h/y "a\nb"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Tasks that outlive their command are named, with where they were started.
func TestTasksLeftAtTheEnd(t *testing.T) {
	var out, errs bytes.Buffer
	s := NewStreams(nil, &out, &errs)
	err := task.Run(t.Context(), &task.Options{Name: "forgotten"}, func(g *task.Group) error {
		g.GoLater("upload", func(ctx context.Context) error {
			defer task.Waiting(ctx, "PUT example.org/x").Done()
			s.writeLeft()
			return nil
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	told := errs.String()
	for _, want := range []string{"tasks were at work when the command ended", "forgotten > upload, for ", "waits for PUT example.org/x", "cli/ps_serve_test.go:"} {
		if !strings.Contains(told, want) {
			t.Errorf("does not say %q:\n%s", want, told)
		}
	}
	errs.Reset()
	s.writeLeft()
	if strings.Contains(errs.String(), "forgotten") {
		t.Errorf("still told when it has ended:\n%s", errs.String())
	}
}
