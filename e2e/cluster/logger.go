// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// logger passes on what kind warns of and how far it is.
type logger struct{ out io.Writer }

// Warn implements log.Logger. What begins a step is left out: its end is told, too.
func (l logger) Warn(message string) {
	message = strings.TrimSpace(message)
	if message != "" && !strings.HasPrefix(message, "•") {
		fmt.Fprintln(l.out, message)
	}
}

// Warnf implements log.Logger.
func (l logger) Warnf(format string, args ...any) { l.Warn(fmt.Sprintf(format, args...)) }

// Error implements log.Logger.
func (l logger) Error(message string) { l.Warn(message) }

// Errorf implements log.Logger.
func (l logger) Errorf(format string, args ...any) { l.Warnf(format, args...) }

// V implements log.Logger.
func (l logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return infoLogger{l}
}

// infoLogger is on.
type infoLogger struct{ logger }

// Info implements log.InfoLogger.
func (l infoLogger) Info(message string) { l.Warn(message) }

// Infof implements log.InfoLogger.
func (l infoLogger) Infof(format string, args ...any) { l.Warnf(format, args...) }

// Enabled implements log.InfoLogger.
func (l infoLogger) Enabled() bool { return true }
