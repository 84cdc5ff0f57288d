package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot builds the command tree. Commands are listed here, and those that
// lines of run can be in run.go.
func newRoot(a *App) *cobra.Command {
	root := bareRoot(a)
	root.AddCommand(
		newMap(a), newUp(a), newWorker(a), newPs(a),
		newLs(a), newFind(a), newStat(a), newDu(a), newCat(a), newCp(a), newMv(a), newRm(a), newSync(a), newRun(a),
		newVersion(a),
	)
	root.AddCommand(topics()...)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = "print the completion script of a shell: bash, zsh, fish, powershell"
		}
	}
	return root
}

// bareRoot is the root without commands.
func bareRoot(a *App) *cobra.Command {
	root := &cobra.Command{
		Use:   "leat COMMAND [FLAG...] [ARG...]",
		Short: "do something to every object that a pattern matches, wherever it lives",
		Example: `  leat map 's3://logs/**/*.gz' --reduce sum -- sh -c 'zcat | grep -c error'
  leat ls -l s3://bucket/logs/
  leat cat 's3://bucket/logs/**/*.txt' | wc -l
  leat cp -R results/ s3://bucket/results`,
		Long: `Names are local paths or URLs: s3://bucket/key, https://host/path, mem://name/path.
Patterns (* ? [a-z] **) work on all of them; quote them, so that the shell leaves them alone.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		DisableAutoGenTag: true,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: 2, // typing mistakes
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return a.setUp(cmd) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return &usageError{msg: "no command is given", hint: "leat help lists the commands"}
		},
		Args: cobra.ArbitraryArgs,
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "one JSON object a line on standard output, the summary last")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no summary; errors are still told")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "tell each item as it ends")
	flags.StringVar(&a.color, "color", "auto", "colour: `WHEN` is auto, always or never")
	flags.StringVar(&a.progress, "progress", "auto", "progress on standard error: `WHEN` is auto, always or never")
	root.PersistentFlags().BoolP("help", "h", false, "help: -h is short, --help is all of it")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{msg: err.Error(), hint: seeHelp(cmd)}
	})
	root.SetHelpFunc(a.showHelp)
	root.SetHelpCommand(newHelp(a))
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	hint := "leat help lists the commands"
	if near := cmd.Root().SuggestionsFor(name); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &usageError{msg: fmt.Sprintf("unknown command %q", name), hint: hint}
}

func seeHelp(cmd *cobra.Command) string { return cmd.CommandPath() + " -h shows the usage" }

// fromEnv names the flags that LEAT_* variables set: those that are a matter
// of taste or of the machine, not of the single command.
var fromEnv = []string{"color", "jobs", "json", "max-delete", "progress", "quiet", "verbose"}

// setUp applies the environment to the flags that were not given, and checks
// the global ones.
func (a *App) setUp(cmd *cobra.Command) error {
	var bad error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || bad != nil || !slices.Contains(fromEnv, f.Name) {
			return
		}
		name := "LEAT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := a.Env(name)
		if !ok || value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			bad = &usageError{msg: fmt.Sprintf("environment variable %s=%q: %v", name, value, err), hint: "leat help env lists the variables"}
		}
	})
	if bad != nil {
		return bad
	}
	for flag, value := range map[string]string{"color": a.color, "progress": a.progress} {
		if !slices.Contains([]string{"auto", "always", "never"}, value) {
			return &usageError{msg: fmt.Sprintf("--%s %s: not auto, always or never", flag, strconv.Quote(value))}
		}
	}
	noColor, _ := a.Env("NO_COLOR")
	a.Color = a.color == "always" || a.color == "auto" && a.OutTerm && noColor == ""
	return nil
}

// command completes a command: run is called once the command line is known
// to be right as far as its flags and the number of its arguments go.
func (a *App) command(c *cobra.Command, least int, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return &usageError{msg: fmt.Sprintf("%s: %s", cmd.Name(), missing(least, len(args))), hint: seeHelp(cmd)}
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.ran = true
		return run(cmd, args)
	}
	c.DisableFlagsInUseLine = true
	return c
}

func missing(least, got int) string {
	if least == 1 {
		return "an argument is missing"
	}
	return fmt.Sprintf("at least %d arguments are needed, not %d", least, got)
}

// rawFlag adds --raw.
func rawFlag(c *cobra.Command, raw *bool) {
	c.Flags().BoolVar(raw, "raw", false, "take * ? [ and \\ as parts of the names")
}

// jobsFlag adds -j.
func jobsFlag(c *cobra.Command, jobs *int) {
	c.Flags().IntVarP(jobs, "jobs", "j", 256, "work on `N` objects at once; 1 does one after the other")
}

// checkJobs refuses a number of jobs that makes no sense.
func checkJobs(jobs int) error {
	if jobs < 1 || jobs > 65536 {
		return &usageError{msg: fmt.Sprintf("--jobs %d: not a number from 1 to 65536", jobs)}
	}
	return nil
}
