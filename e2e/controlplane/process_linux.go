// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter runs functions on one thread that lives as long as this process.
//
// The kernel ends a child with PDEATHSIG when the thread that made it ends, not
// when the process does (prctl(2)), and the Go runtime may end a thread at any
// time. So all children are made by a thread that a goroutine never gives back.
// See https://go.dev/issue/27505.
var starter = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

// startBound starts cmd so that the kernel kills it when this process ends, in
// whatever way. It gets a process group of its own: an interrupt typed at the
// terminal reaches this process alone, which then stops the children in order.
func startBound(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1)
	starter() <- func() { result <- cmd.Start() }
	return <-result
}
