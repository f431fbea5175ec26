// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// Options are the parts. All are required, but for Wrap.
type Options struct {
	// Counter knows who uses what, and has the catalog that Feed keeps in step.
	Counter  *users.Counter
	Feed     *feed.Feed
	Clock    clock.PassiveClock
	Recorder recorder.EventRecorder
	// Interval is how often an asset is looked at whatever happens, and Resync how often
	// each is although nothing happened.
	Interval, Resync time.Duration
	// Controller are the options of the controller.
	Controller controller.TypedOptions[catalog.Object]
	// Wrap goes around the reconciler.
	Wrap func(reconcile.TypedReconciler[catalog.Object]) reconcile.TypedReconciler[catalog.Object]
}

// Setup adds the controller of assets to a manager. It must be called before the
// manager starts.
func Setup(mgr manager.Manager, options Options) error {
	var outer reconcile.TypedReconciler[catalog.Object] = &reconciler{
		counter:  options.Counter,
		cache:    mgr.GetCache(),
		client:   mgr.GetClient(),
		recorder: options.Recorder,
		clock:    options.Clock,
		interval: options.Interval,
	}
	if options.Wrap != nil {
		outer = options.Wrap(outer)
	}
	watch := watches{counter: options.Counter, feed: options.Feed}
	return builder.TypedControllerManagedBy[catalog.Object](mgr).Named("asset").
		WatchesRawSource(watch.onFeed()).
		WatchesRawSource(watch.onIndex()).
		WatchesRawSource(watch.onResync(options.Resync)).
		WithOptions(options.Controller).
		Complete(outer)
}
