// SPDX-License-Identifier: Apache-2.0

package adoption

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

type metadata = metav1.PartialObjectMetadata

// Options are the parts. All are required, but for Wrap.
type Options struct {
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	// Sources has the metadata of Secrets labelled source-of.
	Sources cache.Cache
	// APIReader reads Credentials without a cache.
	APIReader client.Reader
	Clock     clock.PassiveClock
	Recorder  recorder.EventRecorder
	// Controller are the options of the controller. One worker is enough.
	Controller controller.Options
	// Wrap goes around the reconciler.
	Wrap func(reconcile.Reconciler) reconcile.Reconciler
}

// Setup adds the controller of sources to a manager. It must be called before the
// manager starts.
func Setup(mgr manager.Manager, options Options) error {
	r := &reconciler{
		sources:  options.Sources,
		cache:    mgr.GetCache(),
		live:     options.APIReader,
		catalog:  options.Catalog,
		client:   mgr.GetClient(),
		clock:    options.Clock,
		recorder: options.Recorder,
	}
	var outer reconcile.Reconciler = r
	if options.Wrap != nil {
		outer = options.Wrap(r)
	}
	return builder.ControllerManagedBy(mgr).Named("source").
		WatchesRawSource(source.Kind(options.Sources, copies.Secret(), &handler.TypedEnqueueRequestForObject[*metadata]{})).
		// The sources that were there before come by themselves.
		WatchesRawSource(&feed.Source[ctrl.Request]{Feed: options.Feed, Affected: r.affected}).
		WithOptions(options.Controller).
		Complete(outer)
}

// affected returns the sources that a change of a Credential or a namespace
// concerns.
func (r *reconciler) affected(ctx context.Context, change feed.Change) []ctrl.Request {
	var requests []ctrl.Request
	for _, object := range []client.Object{change.Before, change.After} {
		switch o := object.(type) {
		case *v1alpha1.Credential:
			if !change.OnlyStatus() {
				requests = append(requests, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: o.Namespace, Name: o.Spec.SecretRef.Name}})
			}
		case *metadata: // of a namespace, which may hold credentials now
			list := copies.Secrets()
			if err := r.sources.List(ctx, list, client.InNamespace(o.Name), client.UnsafeDisableDeepCopy); err != nil {
				log.FromContext(ctx).Error(err, "Could not find out whom a namespace concerns")
			}
			for i := range list.Items {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
			}
		}
	}
	return requests
}
