package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// wantsLongHelp reports whether the arguments ask for help by its long flag
// or by the help command.
func wantsLongHelp(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--help") || len(args) > 0 && args[0] == "help"
}

// newHelp is "leat help": of a command or of a topic.
func newHelp(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "help on a command or a topic",
		Long: `Help on a command or on one of the topics exit-codes, urls, patterns and env.
Of every command, -h shows the usage and --help all there is to know.`,
		Example: "  leat help cp\n  leat help patterns",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return &usageError{
					msg:  fmt.Sprintf("no help on %q", strings.Join(args, " ")),
					hint: "leat help lists commands and topics",
				}
			}
			a.ran = true
			a.showHelp(found, nil)
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				if strings.HasPrefix(c.Name(), prefix) {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// showHelp prints the help of cmd: examples first, and the whole story only
// when it was asked for.
func (a *App) showHelp(cmd *cobra.Command, _ []string) {
	var b strings.Builder
	if cmd.IsAdditionalHelpTopicCommand() {
		b.WriteString(cmd.Long + "\n")
		_, _ = a.Streams.Write([]byte(b.String()))
		return
	}
	fmt.Fprintf(&b, "%s - %s\n\n", cmd.CommandPath(), cmd.Short)
	if a.longHelp && cmd.Example != "" {
		fmt.Fprintf(&b, "Examples:\n%s\n\n", cmd.Example)
	}
	use := cmd.UseLine()
	if cmd.HasParent() {
		use = cmd.Parent().CommandPath() + " " + cmd.Use
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", use)
	if a.longHelp && cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", cmd.Long)
	}
	writeCommands(&b, cmd)
	if flags := cmd.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsages())
	}
	if a.longHelp || !cmd.HasParent() {
		fmt.Fprintf(&b, "\nFlags of all commands:\n%s", cmd.Root().PersistentFlags().FlagUsages())
	}
	if !a.longHelp {
		more := cmd.CommandPath() + " --help"
		fmt.Fprintf(&b, "\n%s tells more.\n", more)
	}
	_, _ = a.Streams.Write([]byte(b.String()))
}

// writeCommands lists the commands and topics below cmd.
func writeCommands(b *strings.Builder, cmd *cobra.Command) {
	var commands, topics []string
	for _, c := range cmd.Commands() {
		line := fmt.Sprintf("  %-12s %s\n", c.Name(), c.Short)
		switch {
		case c.IsAdditionalHelpTopicCommand():
			topics = append(topics, line)
		case c.IsAvailableCommand():
			commands = append(commands, line)
		}
	}
	if len(commands) > 0 {
		b.WriteString("\nCommands:\n" + strings.Join(commands, ""))
	}
	if len(topics) > 0 {
		b.WriteString("\nTopics (leat help TOPIC):\n" + strings.Join(topics, ""))
	}
}
