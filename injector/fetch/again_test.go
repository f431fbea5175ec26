// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/fetch"
)

// program writes a shell script of that name.
func program(t *testing.T, directory, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestAgain runs what fetches a bucket again and again, with programs in the place of
// rclone and sleep. The file that the probe looks for is there once the first fetch
// succeeded and not before, and a signal ends it while it fetches.
func TestAgain(t *testing.T) {
	directory := t.TempDir()
	period := v1alpha1.Period("90s")
	settings := fetch.Default()
	container, problem := settings.S3(&v1alpha1.S3Source{Bucket: "b", Prefix: "a b", Period: &period}, nil, 0o444)
	if problem != "" {
		t.Fatal(problem)
	}
	// The first fetch fails, the third hangs.
	program(t, directory, "rclone", `for argument; do printf '<%s>' "$argument"; done >> "$DIR/said"
echo >> "$DIR/said"
[ -e "$DIR/fetched" ] && echo fetched >> "$DIR/said"
case $(grep -c sync "$DIR/said") in
1) exit 1 ;;
3) : > "$DIR/hangs"; read -r _ < "$DIR/never" ;;
esac
`)
	program(t, directory, "sleep", `echo "pause $1" >> "$DIR/said"`)
	if err := syscall.Mkfifo(filepath.Join(directory, "never"), 0o600); err != nil {
		t.Fatal(err)
	}
	words := make([]string, 0, 16)
	for _, word := range append(container.Command, container.Args...) {
		words = append(words, strings.ReplaceAll(word, "/tmp/fetched", directory+"/fetched"))
	}
	command := exec.CommandContext(t.Context(), words[0], words[1:]...)
	command.Env = []string{"PATH=" + directory + ":" + os.Getenv("PATH"), "DIR=" + directory}
	for _, variable := range container.Env {
		command.Env = append(command.Env, variable.Name+"="+string(variable.Value))
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	poll, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer poll.Stop()
	for hangs := false; !hangs; {
		select {
		case <-poll.C:
			_, err := os.Stat(filepath.Join(directory, "hangs"))
			hangs = err == nil
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-deadline:
			t.Fatal("it fetched no third time")
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("a signal ends it with %v", err)
		}
	case <-deadline:
		t.Error("a signal does not end it")
	}
	said, err := os.ReadFile(filepath.Join(directory, "said"))
	if err != nil {
		t.Fatal(err)
	}
	fetches := "<sync><--retries=5><--retries-sleep=5s><source:b/a b></data>\n"
	if want := fetches + "pause 10\n" + fetches + "pause 90\n" + fetches + "fetched\n"; string(said) != want {
		t.Errorf("it said\n%s, want\n%s", said, want)
	}
}
