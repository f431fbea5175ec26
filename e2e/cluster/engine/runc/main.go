// SPDX-License-Identifier: Apache-2.0

// Command runc is what the engine calls in place of runc, which stands beside it as
// runc.real. It takes CAP_SYS_RESOURCE out of what a container is to get where this
// machine does not have it to give: a privileged container would fail to start.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	capability = "CAP_SYS_RESOURCE"
	bit        = 24 // include/uapi/linux/capability.h
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "runc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if !isBounded(string(status)) {
		if err := rewrite(specFile(args[1:])); err != nil {
			return fmt.Errorf("taking %s out of a container: %w", capability, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(filepath.Join(filepath.Dir(self), "runc.real"), args, os.Environ())
}

// isBounded says whether processes of this machine can have the capability.
func isBounded(status string) bool {
	for line := range strings.Lines(status) {
		if mask, is := strings.CutPrefix(line, "CapBnd:"); is {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits&(1<<bit) != 0
		}
	}
	return true
}

// specFile is the file that says what runc is to start, if any: that of a container
// or of one more process in it.
func specFile(args []string) string {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			return filepath.Join(value, "config.json")
		case "--process", "-p":
			return value
		}
	}
	return ""
}

func rewrite(file string) error {
	content, err := os.ReadFile(file)
	if file == "" || os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var spec map[string]any
	numbers := json.NewDecoder(bytes.NewReader(content))
	numbers.UseNumber() // limits are larger than a float64 holds exactly
	if err := numbers.Decode(&spec); err != nil {
		return err
	}
	without(spec)
	if process, is := spec["process"].(map[string]any); is {
		without(process)
	}
	changed, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(file, changed, 0o600)
}

// without takes the capability out of a process's lists.
func without(process map[string]any) {
	lists, is := process["capabilities"].(map[string]any)
	if !is {
		return
	}
	for name, list := range lists {
		var kept []any
		for _, one := range list.([]any) {
			if one != capability {
				kept = append(kept, one)
			}
		}
		lists[name] = kept
	}
}
