// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/usage"
)

const (
	// maxAttempts bounds how often a patch is tried at once. The status of a workload
	// is written all the time, which is no reason to wait.
	maxAttempts = 5
	// behind is when to come back after that.
	behind = time.Second
)

// pacer spreads restarts over time.
type pacer interface{ Wait(context.Context) error }

// reconciler restarts one workload at a time.
type reconciler struct {
	facts
	live     client.Reader
	client   client.Writer
	clock    clock.PassiveClock
	recorder recorder.EventRecorder
	pace     pacer
	// patience is how long a workload is watched for somebody who takes the restart
	// back.
	patience time.Duration
	restarts *prometheus.CounterVec
	memory   memory
}

// Reconcile restarts a workload for the credentials whose values have changed,
// unless it was.
func (r *reconciler) Reconcile(ctx context.Context, w usage.Workload) (ctrl.Result, error) {
	changes, outdated, err := r.changes(ctx, w)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !outdated {
		r.memory.forget(w.UID)
		return ctrl.Result{}, nil
	}
	paced := false
	for range maxAttempts {
		t, d, err := r.judge(ctx, w, changes)
		if err != nil || t == nil {
			return ctrl.Result{}, err
		}
		if len(d.due) == 0 && len(d.reverted) == 0 {
			return ctrl.Result{RequeueAfter: d.again}, nil
		}
		if len(d.due) > 0 && !paced {
			if !r.turn(ctx) {
				return ctrl.Result{RequeueAfter: behind}, nil
			}
			paced = true
			continue // things may be otherwise by now
		}
		err = write(ctx, r.client, t, d.after, len(d.due) > 0)
		if apierrors.IsConflict(err) {
			continue
		}
		return r.done(ctx, w, t, d, err)
	}
	return ctrl.Result{RequeueAfter: behind}, nil
}

// turn waits for the turn of a restart. It says false if the process is stopping or
// too many wait.
func (r *reconciler) turn(ctx context.Context) bool { return r.pace.Wait(ctx) == nil }

// judge reads a workload and decides about it.
func (r *reconciler) judge(ctx context.Context, w usage.Workload, changes []change) (*target, decision, error) {
	t, err := read(ctx, r.live, w)
	if err != nil {
		return nil, decision{}, err
	}
	if t == nil {
		r.memory.forget(w.UID)
		return nil, decision{}, nil
	}
	s := t.state()
	s.record = s.record.with(r.memory.get(w.UID))
	return t, decide(s, changes, r.clock.Now().UTC().Truncate(time.Second), r.patience), nil
}

// done tells of what was written, or of why it was not.
func (r *reconciler) done(ctx context.Context, w usage.Workload, t *target, d decision, err error) (ctrl.Result, error) {
	if apierrors.IsNotFound(err) {
		r.memory.forget(w.UID)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, r.refused(w, t, d, err)
	}
	r.memory.set(w.UID, d.after.record)
	if len(d.due) > 0 {
		r.count(w, "restarted")
		r.tellRestarted(t, d.due)
		log.FromContext(ctx).Info("Restarted the workload", "credentials", names(d.due))
	}
	if len(d.reverted) > 0 {
		r.count(w, "reverted")
		r.tellReverted(t, d.reverted)
		log.FromContext(ctx).Info("A restart was taken back and is not asked for again", "credentials", names(d.reverted))
	}
	return ctrl.Result{RequeueAfter: r.patience}, nil
}

// refused tells once of a change that the workload cannot be restarted for. The
// API server's words are not repeated: admission may quote the workload.
func (r *reconciler) refused(w usage.Workload, t *target, d decision, err error) error {
	reason := copies.Answer(err)
	r.count(w, "refused")
	if (apierrors.IsForbidden(err) || apierrors.IsInvalid(err)) && r.memory.refuse(w.UID, writeFingerprints(d.after.fingerprints)) {
		r.recorder.Eventf(t.Object, nil, corev1.EventTypeWarning, eventRefused, actionRestart,
			"it could not be restarted for new values of %s: the API server answers: %s; it is tried again", list(d.due), reason)
	}
	return fmt.Errorf("patching %s %s: the API server answers: %s", w.Kind, w.NamespacedName, reason)
}

func (r *reconciler) count(w usage.Workload, outcome string) {
	r.restarts.WithLabelValues(w.Kind, outcome).Inc()
}

// memory is what this process asked for. It stands in for the record of a workload
// whose owner resets its annotations too.
type memory struct {
	mu      sync.Mutex
	records map[types.UID]record
	refused map[types.UID]string
}

func (m *memory) get(uid types.UID) record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[uid]
}

func (m *memory) set(uid types.UID, r record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[types.UID]record{}
	}
	m.records[uid] = r
	delete(m.refused, uid)
}

// refuse notes that a restart was refused, and says whether that is news.
func (m *memory) refuse(uid types.UID, what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused == nil {
		m.refused = map[types.UID]string{}
	}
	news := m.refused[uid] != what
	m.refused[uid] = what
	return news
}

func (m *memory) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, uid)
	delete(m.refused, uid)
}
