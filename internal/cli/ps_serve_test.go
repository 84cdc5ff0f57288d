package cli

import "testing"

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
