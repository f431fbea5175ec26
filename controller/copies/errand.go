// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// errand is what is under way about one copy for a credential.
type errand struct {
	credential types.UID
	target     types.NamespacedName
}

// errands are those under way. They may outlast the pass that began them, so that
// one slow namespace keeps nobody waiting, but not the writer.
type errands struct {
	life   context.Context // of their requests
	cancel context.CancelFunc

	mu       sync.Mutex
	underway map[errand]bool
	running  sync.WaitGroup
}

func newErrands() errands {
	life, cancel := context.WithCancel(context.Background())
	return errands{life: life, cancel: cancel, underway: map[errand]bool{}}
}

// begin notes an errand. It says false once they have stopped.
func (e *errands) begin(one errand) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.Err() != nil {
		return false
	}
	e.underway[one] = true
	e.running.Add(1)
	return true
}

func (e *errands) end(one errand) {
	e.mu.Lock()
	delete(e.underway, one)
	e.mu.Unlock()
	e.running.Done()
}

func (e *errands) has(one errand) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.underway[one]
}

func (e *errands) any(credential types.UID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for one := range e.underway {
		if one.credential == credential {
			return true
		}
	}
	return false
}

// stop breaks off what is under way, and lets nothing begin.
func (e *errands) stop() {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.running.Wait()
}
