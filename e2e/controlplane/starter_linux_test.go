// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// The kernel kills a child when the thread that made it ends: see starter.
func TestChildOutlivesTheThreadThatAskedForIt(t *testing.T) {
	launched := make(chan *process)
	go func() {
		// A locked goroutine that ends takes its thread with it.
		runtime.LockOSThread()
		p, err := launch("sleep", "/bin/sleep", filepath.Join(t.TempDir(), "sleep.log"), []string{"60"})
		if err != nil {
			t.Error(err)
		}
		launched <- p
	}()
	p := <-launched
	if p == nil {
		return
	}
	// A second or so is plenty for the thread to end; nothing tells when it has.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	select {
	case <-p.done:
		t.Errorf("the child ended: %v", p.err)
	case <-ctx.Done():
	}
	p.stop(stopGrace)
	if p.running() {
		t.Error("the child runs after stop")
	}
}
