// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

type metadata = metav1.PartialObjectMetadata

// Options are the parts. All are required, but for Wrap.
type Options struct {
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	Cluster lookup.Cluster
	Guard   *Guard
	Kept    *Kept
	Writer  *copies.Writer
	Clock   clock.PassiveClock
	// Patience is how long a copy has to be a stray that nothing holds before it goes:
	// Credentials that are restored one after the other take theirs back.
	Patience time.Duration
	Recorder recorder.EventRecorder
	// Registerer takes the metrics.
	Registerer prometheus.Registerer
	// Controller are the options of the controller. It must have one worker.
	Controller controller.TypedOptions[Session]
	// Wrap goes around the reconciler.
	Wrap func(reconcile.TypedReconciler[Session]) reconcile.TypedReconciler[Session]
}

// Session is the one request of the controller: strays are judged together, for one
// by one each of very many would be a small matter.
type Session struct{}

// Setup adds the controller of strays to a manager. It must be called before the
// manager starts.
func Setup(mgr manager.Manager, options Options) error {
	r := &remover{
		Cluster:  options.Cluster,
		catalog:  options.Catalog,
		guard:    options.Guard,
		kept:     options.Kept,
		writer:   options.Writer,
		recorder: options.Recorder,
		clock:    options.Clock,
		patience: options.Patience,
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "credence_stray_copies_held",
			Help: "Copies without a Credential that are not removed, by the reason (ResourceMissing, ResourceTerminating, NoCredentials, TooManyStrays).",
		}, []string{"reason"}),
		since: map[types.UID]time.Time{},
	}
	if err := options.Registerer.Register(r.held); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	r.count("", 0)
	var reconciler reconcile.TypedReconciler[Session] = r
	if options.Wrap != nil {
		reconciler = options.Wrap(r)
	}
	return builder.TypedControllerManagedBy[Session](mgr).Named("stray").
		WatchesRawSource(&feed.Source[Session]{
			Feed:     options.Feed,
			Affected: comesOrGoes,
			Initial:  func(context.Context) []Session { return []Session{{}} },
		}).
		WatchesRawSource(onCopies(mgr.GetCache(), options.Cluster)).
		WithOptions(options.Controller).
		Complete(reconciler)
}

// onCopies calls for a session when a copy changes whose Credential the cache does
// not have.
func onCopies(c cache.Cache, cluster lookup.Cluster) source.TypedSource[Session] {
	return source.TypedKind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *metadata) []Session {
		found, ours := copies.Read(secret)
		if !ours {
			return nil
		}
		if known, err := cluster.Knows(ctx, found.CredentialUID); err != nil || known {
			return nil
		}
		return []Session{{}}
	}))
}

// comesOrGoes calls for a session when there is a Credential more or less.
func comesOrGoes(_ context.Context, change feed.Change) []Session {
	before, went := change.Before.(*v1alpha1.Credential)
	after, came := change.After.(*v1alpha1.Credential)
	if !went && !came || went && came && before.UID == after.UID {
		return nil
	}
	return []Session{{}}
}
