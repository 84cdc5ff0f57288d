package natsd

import (
	"context"
	"fmt"
	"log/slog"
)

// logger passes the server's warnings and errors on.
type logger struct{ log *slog.Logger }

func (l *logger) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats server", "text", fmt.Sprintf(format, v...))
}

// Noticef implements server.Logger.
func (l *logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf implements server.Logger.
func (l *logger) Warnf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Errorf implements server.Logger.
func (l *logger) Errorf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Fatalf implements server.Logger. The server ends by itself afterwards.
func (l *logger) Fatalf(format string, v ...any) { l.say(slog.LevelError, format, v) }

// Debugf implements server.Logger.
func (l *logger) Debugf(format string, v ...any) {}

// Tracef implements server.Logger.
func (l *logger) Tracef(format string, v ...any) {}
