// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stop ends the engine and everything that it started.
func (o *own) stop(ctx context.Context) error {
	ours, err := o.processes()
	if err != nil {
		return err
	}
	// dockerd first and alone: it ends the others in order.
	if text, err := os.ReadFile(o.path("dockerd.pid")); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && slices.Contains(ours, pid) {
			if err := o.end(ctx, []int{pid}, syscall.SIGTERM); err != nil {
				return err
			}
		}
	}
	if ours, err = o.processes(); err != nil {
		return err
	}
	return o.end(ctx, ours, syscall.SIGKILL)
}

// end signals processes and waits until they are gone.
func (o *own) end(ctx context.Context, pids []int, signal syscall.Signal) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	for {
		left, err := o.processes()
		if err != nil {
			return err
		}
		going := false
		for _, pid := range pids {
			going = going || slices.Contains(left, pid)
		}
		if !going {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v of the container engine do not end: %w", pids, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// processes are those of the engine: what runs from its folder or was told of it.
// Nothing else has that in its command line.
func (o *own) processes() ([]int, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil { // it has ended
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if isEngine(line) && bytes.Contains(line, []byte(o.path("run"))) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// isEngine says whether a command line is one of those that dockerd starts, or its.
func isEngine(line []byte) bool {
	program, _, _ := bytes.Cut(line, []byte{0})
	switch filepath.Base(string(program)) {
	case "dockerd", "nsenter", "unshare", "containerd", "containerd-shim-runc-v2":
		return true
	}
	return false
}
