// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// session is the one request of the controller of strays: they are judged
// together, for one by one each of very many would be a small matter.
type session struct{}

// strayRemover removes the copies of Credentials that are gone: whose finalizer
// was stripped, or whose resource was restored from a backup. It has one worker.
type strayRemover struct {
	lookup
	catalog  *catalog.Catalog
	guard    *guard
	kept     *kept
	writer   *copies.Writer
	recorder recorder.EventRecorder
	clock    clock.PassiveClock
	held     *prometheus.GaugeVec
	// patience is how long a copy has to be a stray that nothing holds before it goes:
	// Credentials that are restored one after the other take theirs back.
	patience time.Duration

	since   map[types.UID]time.Time // when a copy was first seen to be such
	removed recent
	verdict string // the last one that was told
}

func setupStrays(mgr manager.Manager, options Options, writer *copies.Writer, look lookup, gate *guard, keeper *kept) error {
	remover := &strayRemover{
		lookup:   look,
		catalog:  options.Catalog,
		guard:    gate,
		kept:     keeper,
		writer:   writer,
		recorder: mgr.GetEventRecorder(recorderName),
		clock:    options.Clock,
		patience: options.StrayInterval,
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "credence_stray_copies_held",
			Help: "Copies without a Credential that are not removed, by the reason (ResourceMissing, ResourceTerminating, NoCredentials, TooManyStrays).",
		}, []string{"reason"}),
		since: map[types.UID]time.Time{},
	}
	if err := options.Registerer.Register(remover.held); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	remover.count("", 0)
	return builder.TypedControllerManagedBy[session](mgr).Named("stray").
		WatchesRawSource(&feed.Source[session]{
			Feed:     options.Feed,
			Affected: remover.comesOrGoes,
			Initial:  func(context.Context) []session { return []session{{}} },
		}).
		WatchesRawSource(remover.copies(mgr.GetCache())).
		WithOptions(controllerOptions(1, logPlain[session](mgr.GetLogger()))).
		Complete(progress.Observe[session](options.Progress, "stray", remover))
}

// copies calls for a session when a copy changes whose Credential the cache does
// not have.
func (r *strayRemover) copies(c cache.Cache) source.TypedSource[session] {
	return source.TypedKind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *metadata) []session {
		found, ours := copies.Read(secret)
		if !ours {
			return nil
		}
		if known, err := r.knows(ctx, found.CredentialUID); err != nil || known {
			return nil
		}
		return []session{{}}
	}))
}

// comesOrGoes calls for a session when there is a Credential more or less.
func (r *strayRemover) comesOrGoes(_ context.Context, change feed.Change) []session {
	before, went := change.Before.(*v1alpha1.Credential)
	after, came := change.After.(*v1alpha1.Credential)
	if !went && !came || went && came && before.UID == after.UID {
		return nil
	}
	return []session{{}}
}

// Reconcile removes the strays, unless they are held, and releases what is kept.
func (r *strayRemover) Reconcile(ctx context.Context, _ session) (ctrl.Result, error) {
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
func (r *strayRemover) remove(ctx context.Context, found findings) (time.Duration, error) {
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
		return r.guard.interval, nil
	}
	ripe := r.ripe(strays)
	if len(ripe) == 0 {
		return r.guard.interval, nil
	}
	report := r.writer.Spread(ctx, copies.Wanted{UID: strayUID}, copies.Plan(copies.Situation{Existing: ripe}))
	r.removed.add(r.clock.Now(), len(report.Removed))
	log.FromContext(ctx).Info("Removed copies of credentials that are gone",
		"credentials", enumerate(report.Removed, func(c copies.Copy) string { return c.CredentialName }), "copies", len(report.Removed), "left", len(report.Left))
	return sooner(r.guard.interval, report.RetryAfter), nil
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
func (r *strayRemover) investigate(ctx context.Context, found findings) ([]copies.Copy, evidence, error) {
	existing, listErr := r.namesNow(ctx)
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
func (r *strayRemover) ripe(strays []copies.Copy) []copies.Copy {
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
func (r *strayRemover) holds(ctx context.Context, e evidence) (bool, error) {
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
