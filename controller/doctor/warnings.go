// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"hash/maphash"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// Reason and action of the events that repeat warnings.
const (
	eventWarned = "InjectionWarning"
	actionWarn  = "Inject"
)

const (
	// remembered is how long warnings are known after the last pod with them is gone: a
	// CronJob's pods come and go with the same ones.
	remembered = 24 * time.Hour
	// handover is how long before a process leads nobody may have led.
	handover = time.Minute
)

// repeater repeats at a workload what was said when its pods were injected, for
// nobody reads the answers that controllers get: once for each set of warnings. A
// standby takes note too, so that a new leader tells what came while there was none,
// and no more.
type repeater struct {
	index   Index
	catalog *catalog.Catalog
	teller  teller
	clock   clock.PassiveClock
	// elected is closed when the process leads.
	elected  <-chan struct{}
	interval time.Duration

	known map[warning]*warned
}

// warning stands for a set of warnings at a workload. Where each run is a workload of
// its own, very many are known in a day, so their words are not kept.
type warning struct {
	of   types.UID
	said uint64
}

var seed = maphash.MakeSeed()

// warned is what is known of warnings.
type warned struct {
	first, last time.Time
	told        bool
}

// Start repeats until the context ends. It implements manager.Runnable.
func (r *repeater) Start(ctx context.Context) error {
	// What comes after the index is complete is news, so that moment is not to be missed.
	_ = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) { return r.index.Synced(), nil })
	wait.UntilWithContext(ctx, func(context.Context) { r.look() }, r.interval)
	return nil
}

// NeedLeaderElection says that standbys take note.
func (r *repeater) NeedLeaderElection() bool { return false }

// look takes note of what is new, and tells of it if the process leads. What was there
// when it began has been told by others.
func (r *repeater) look() {
	now, begins := r.clock.Now(), r.known == nil
	if begins {
		r.known = map[warning]*warned{}
	}
	for _, one := range r.index.Warned() {
		key := warning{one.UID, maphash.String(seed, one.Warnings)}
		w := r.known[key]
		if w == nil {
			w = &warned{first: now, told: begins}
			r.known[key] = w
		}
		w.last = now
		if place, _ := r.catalog.Place(one.Namespace); w.told || !place.IsProject() {
			continue
		}
		switch {
		case r.leads():
			w.told = true
			r.tell(one)
		case now.Sub(w.first) > handover:
			w.told = true
		}
	}
	for one, w := range r.known {
		if now.Sub(w.last) > remembered {
			delete(r.known, one)
		}
	}
}

func (r *repeater) leads() bool {
	select {
	case <-r.elected:
		return true
	default:
		return false
	}
}

func (r *repeater) tell(one usage.Warned) {
	r.teller.event(workloadOf(one.Workload), corev1.EventTypeWarning, eventWarned, actionWarn,
		"its pods were injected with warnings: "+strings.ReplaceAll(one.Warnings, "\n", "; "))
}
