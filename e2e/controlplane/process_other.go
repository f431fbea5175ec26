// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package controlplane

import "os/exec"

// startBound starts cmd. Only Linux can bind its life to that of this process:
// elsewhere the children of a process that is killed must be ended by hand.
func startBound(cmd *exec.Cmd) error { return cmd.Start() }
