// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
)

// TestLogLevels: client-go logs the bodies of responses from V(8) on, Secrets among
// them, so no level may be asked for that reaches so far.
func TestLogLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 0, "warn": -1, "error": -1} {
		logger, err := newLog(&strings.Builder{}, level)
		if err != nil {
			t.Fatal(err)
		}
		log, most := logr.FromSlogHandler(logger.Handler()), -1
		for v := range 20 {
			if log.V(v).Enabled() {
				most = v
			}
		}
		if most != want {
			t.Errorf("%s logs up to V(%d), want %d", level, most, want)
		}
	}
	for _, level := range []string{"", "debug-4", "DEBUG-5", "debug-1", "info+1", "Debug", "INFO", "trace", "-8", " info"} {
		if _, err := newLog(&strings.Builder{}, level); err == nil {
			t.Errorf("level %q is taken", level)
		}
	}
	p := newProcess()
	p.logLevel = "debug-4"
	if _, err := p.setupLogging(); err == nil || err.Error() != `log level "debug-4" is unknown; it is debug, info, warn or error` {
		t.Errorf("a process takes level debug-4: %v", err)
	}
}

// TestLogLines: a line has one of four levels, whatever a library makes of them, and
// what somebody calls "level" is not touched.
func TestLogLines(t *testing.T) {
	var out strings.Builder
	logger, err := newLog(&out, "debug")
	if err != nil {
		t.Fatal(err)
	}
	log := logr.FromSlogHandler(logger.Handler())
	log.V(1).Info("a")
	log.V(4).Info("b")
	log.Info("c")
	log.Error(nil, "d")
	logger.Warn("e")
	logger.Log(t.Context(), slog.LevelInfo+2, "f")
	logger.WithGroup("g").Info("g", "level", slog.LevelInfo+1)
	var got []string
	for line := range strings.Lines(out.String()) {
		var fields struct {
			Level, Msg string
			G          struct{ Level string }
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, fields.Msg+" "+fields.Level+" "+fields.G.Level)
	}
	want := []string{"a DEBUG ", "b DEBUG ", "c INFO ", "d ERROR ", "e WARN ", "f INFO ", "g INFO INFO+1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}
