// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/words"
)

// remover removes strays, unless they are held. It has one worker.
type remover struct {
	lookup.Cluster
	catalog  *catalog.Catalog
	guard    *Guard
	kept     *Kept
	writer   *copies.Writer
	recorder recorder.EventRecorder
	clock    clock.PassiveClock
	held     *prometheus.GaugeVec
	patience time.Duration

	since   map[types.UID]time.Time // when a copy was first seen to be such
	removed recent
	verdict string // the last one that was told
}

// Reconcile removes the strays, unless they are held, and releases what is kept.
func (r *remover) Reconcile(ctx context.Context, _ Session) (ctrl.Result, error) {
	r.removed.add(r.clock.Now(), len(r.writer.Late(strayUID)))
	found, err := r.sort(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	released, err := r.releaseKept(ctx, found)
	if err != nil {
		return ctrl.Result{}, err
	}
	removed, err := r.remove(ctx, found)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: sooner(released, removed)}, nil
}

// remove removes the orphans that are strays, unless they are held, and says when
// to come back.
func (r *remover) remove(ctx context.Context, found findings) (time.Duration, error) {
	if len(found.orphans) == 0 {
		clear(r.since)
		return 0, r.tell(ctx, "", "", evidence{copies: len(found.all)})
	}
	strays, e, err := r.investigate(ctx, found)
	if err != nil {
		return 0, err
	}
	e.copies, e.removed = len(found.all), r.removed.count(r.clock.Now())
	held, err := r.holds(ctx, e)
	if err != nil {
		return 0, err
	}
	if held {
		// When the first Credential of a backup is there, the others are still to come.
		clear(r.since)
		return r.guard.Interval, nil
	}
	ripe := r.ripe(strays)
	if len(ripe) == 0 {
		return r.guard.Interval, nil
	}
	report := r.writer.Spread(ctx, copies.Wanted{UID: strayUID}, copies.Plan(copies.Situation{Existing: ripe}))
	r.removed.add(r.clock.Now(), len(report.Removed))
	if len(report.Removed) > 0 {
		log.FromContext(ctx).Info("Removed copies of credentials that are gone",
			"credentials", credentialsOf(report.Removed), "copies", len(report.Removed), "left", len(report.Left))
	}
	return sooner(r.guard.Interval, report.RetryAfter), nil
}

// maxNamesTold bounds how many credentials a line of the log names.
const maxNamesTold = 5

// credentialsOf lists whose copies some are, no more than a few.
func credentialsOf(all []copies.Copy) string {
	names := sets.New[string]()
	for _, c := range all {
		names.Insert(c.CredentialName)
	}
	return words.Few(sets.List(names), maxNamesTold)
}

// strayUID is what the writer knows strays under, which are of many Credentials.
const strayUID types.UID = ""

// sooner returns the shorter of two waits, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// investigate asks the API server which orphans are strays for certain: one
// consistent list tells which Credentials there are. The cache may be behind by
// much, as after the resource was missing, and one that it does not have yet may
// take over the copies of its name. How the resource fares is asked for afterwards:
// if it was not being deleted then, no Credential went with it before.
func (r *remover) investigate(ctx context.Context, found findings) ([]copies.Copy, evidence, error) {
	existing, listErr := r.NamesNow(ctx)
	state, err := r.guard.resource(ctx)
	if err != nil {
		return nil, evidence{}, err
	}
	if listErr != nil && state != resourceMissing {
		return nil, evidence{}, listErr
	}
	coming := sets.New[string]()
	for uid, name := range existing {
		if !found.known.Has(uid) {
			coming.Insert(name)
		}
	}
	var strays []copies.Copy
	for _, c := range found.orphans {
		if _, exists := existing[c.CredentialUID]; !exists && !coming.Has(c.CredentialName) {
			strays = append(strays, c)
		}
	}
	return strays, evidence{resource: state, credentials: len(existing), strays: len(strays)}, nil
}

// ripe returns the strays that have been such for long enough.
func (r *remover) ripe(strays []copies.Copy) []copies.Copy {
	now := r.clock.Now()
	since := make(map[types.UID]time.Time, len(strays))
	var ripe []copies.Copy
	for _, c := range strays {
		first, seen := r.since[c.UID]
		if !seen {
			first = now
		}
		since[c.UID] = first
		if now.Sub(first) >= r.patience {
			ripe = append(ripe, c)
		}
	}
	r.since = since
	return ripe
}

// holds judges strays, and tells when the verdict is another than before.
func (r *remover) holds(ctx context.Context, e evidence) (bool, error) {
	if e.strays == 0 {
		return false, r.tell(ctx, "", "", e)
	}
	reason, message := judge(e)
	if reason != "" {
		released, err := r.guard.released(ctx)
		if err != nil {
			return false, err
		}
		if released {
			reason, message = "", ""
		}
	}
	return reason != "", r.tell(ctx, reason, message, e)
}
