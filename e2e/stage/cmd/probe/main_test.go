// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/e2e/stage/report"
)

const value = "not-a-secret"

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *buffer) seen(t *testing.T) report.Seen {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Contains(b.text.String(), value) {
		t.Fatal("the log has a value")
	}
	seen, err := report.Read(bytes.NewReader(b.text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestSaysWhatThereIs(t *testing.T) {
	t.Setenv("SET", value)
	t.Setenv("EMPTY", "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(value), 0o440); err != nil {
		t.Fatal(err)
	}
	var log buffer
	if err := run(t.Context(), &log, []string{"SET", "EMPTY", "UNSET"}, []string{file, file + ".none"}, true); err != nil {
		t.Fatal(err)
	}
	seen := log.seen(t)
	if !seen.HasEnv("SET", value) || !seen.HasEnv("EMPTY", "") || seen.HasEnv("UNSET", "") || seen.HasEnv("SET", "") || !seen.Env["UNSET"].Missing {
		t.Errorf("variables: %+v", seen.Env)
	}
	want := map[string]report.Line{
		file:           {File: file, SHA256: report.Digest([]byte(value)), Mode: "0440", UID: uint32(os.Getuid()), GID: uint32(os.Getgid())},
		file + ".none": {File: file + ".none", Missing: true},
	}
	if diff := cmp.Diff(want, seen.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestSaysWhatChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	var log buffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, &log, nil, []string{file}, false) }()
	await(t, "the file to be missed", func() bool { return log.seen(t).Files[file].Missing })
	for _, content := range []string{"one", "two"} {
		if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		await(t, content, func() bool { return log.seen(t).HasFile(file, content) })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if lines := len(log.seen(t).Lines); lines != 3 {
		t.Errorf("%d lines, want one for each change", lines)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer poll.Stop()
	for !done() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
