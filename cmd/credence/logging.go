// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// levels are those that can be asked for, and no finer ones: further down, libraries
// log the bodies of what API servers answer, and Secrets are among them.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// newLog logs as JSON from a level on.
func newLog(to io.Writer, level string) (*slog.Logger, error) {
	least, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q is unknown; it is debug, info, warn or error", level)
	}
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: least, ReplaceAttr: plainLevel})), nil
}

// plainLevel words levels by these four names alone: logr's V(1) would be "DEBUG+3".
func plainLevel(groups []string, a slog.Attr) slog.Attr {
	level, ok := a.Value.Any().(slog.Level)
	if a.Key != slog.LevelKey || len(groups) > 0 || !ok {
		return a
	}
	for _, named := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo} {
		if level >= named {
			return slog.String(slog.LevelKey, named.String())
		}
	}
	return slog.String(slog.LevelKey, slog.LevelDebug.String())
}

// setLogger is done once, also where several processes run in one.
var setLogger sync.Once

// setupLogging sends the logs of every library to standard error.
func (p *process) setupLogging() (logr.Logger, error) {
	logger, err := newLog(os.Stderr, p.logLevel)
	if err != nil {
		return logr.Logger{}, err
	}
	log := logr.FromSlogHandler(logger.Handler())
	setLogger.Do(func() {
		ctrl.SetLogger(log)
		klog.SetLogger(log)
		// Package log, by which net/http tells of failed handshakes, goes there too.
		slog.SetLogLoggerLevel(slog.LevelWarn)
		slog.SetDefault(logger)
	})
	return log, nil
}
