// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package controlplane_test

import (
	"os"
	"syscall"
	"testing"
)

// alive says whether the process runs.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}
