// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	ctrlsource "sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// Settings say whether certificates are spread.
type Settings struct {
	// Name of the ConfigMap, in the install namespace and in projects. Empty for none.
	Name string
	// Linger is how long a copy stays that nobody needs, and how often it is looked at
	// whether a pod still mounts it. The default is 10 min.
	Linger time.Duration
}

// Options are the settings and the parts. All parts are required, but for Wrap.
type Options struct {
	Settings
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	Index   users.Index
	// ConfigMaps has the metadata of those with the name, and of their managed fields
	// those of other writers of the data.
	ConfigMaps cache.Cache
	// Cluster says which namespaces end, and reads without a cache.
	Cluster    lookup.Cluster
	Clock      clock.PassiveClock
	Recorder   recorder.EventRecorder
	Registerer prometheus.Registerer
	// Controller are the options of the controller.
	Controller controller.Options
	// Wrap goes around the reconciler.
	Wrap func(reconcile.Reconciler) reconcile.Reconciler
}

// Setup adds the controller to a manager. It must be called before the manager starts.
func Setup(mgr manager.Manager, options Options) error {
	r := &reconciler{
		source: source{
			NamespacedName: types.NamespacedName{Namespace: options.Catalog.Layout().InstallNamespace, Name: options.Name},
			seen:           options.ConfigMaps,
			live:           options.Cluster.Live,
		},
		catalog:  options.Catalog,
		index:    options.Index,
		cluster:  options.Cluster,
		client:   mgr.GetClient(),
		recorder: options.Recorder,
		clock:    options.Clock,
		linger:   cmp.Or(options.Linger, 10*time.Minute),
	}
	if err := options.Registerer.Register(&r.states); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	var outer reconcile.Reconciler = r
	if options.Wrap != nil {
		outer = options.Wrap(outer)
	}
	onConfigMap := handler.TypedEnqueueRequestsFromMapFunc(r.onConfigMap)
	return builder.ControllerManagedBy(mgr).Named("cabundle").
		WatchesRawSource(&feed.Source[ctrl.Request]{Feed: options.Feed, Affected: r.affected}).
		WatchesRawSource(users.OnIndex(options.Index, r.onUsage, r.projects)).
		WatchesRawSource(ctrlsource.Kind(options.ConfigMaps, ConfigMap(), onConfigMap)).
		WithOptions(options.Controller).
		Complete(outer)
}

func of(namespace string) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Name: namespace}}
}

// projects are requests for all of them. Other namespaces that have a copy come by it.
func (r *reconciler) projects(context.Context) (requests []ctrl.Request) {
	for _, place := range r.catalog.Reach(v1alpha1.Scope{Level: v1alpha1.ScopeCluster}, r.catalog.Layout().SystemNamespace) {
		requests = append(requests, of(place.Namespace))
	}
	return requests
}

func (r *reconciler) onConfigMap(ctx context.Context, changed *metadata) []ctrl.Request {
	if changed.Namespace == r.source.Namespace {
		return r.projects(ctx)
	}
	return []ctrl.Request{of(changed.Namespace)}
}

func (r *reconciler) onUsage(_ context.Context, change usage.Change) []ctrl.Request {
	if len(change.Assets) == 0 {
		return nil
	}
	return []ctrl.Request{of(change.Namespace)}
}

// affected are the namespaces that a change may concern: all of them, if it is one of
// a data source, of a template, or of a home of such. Most namespaces are quickly done.
func (r *reconciler) affected(ctx context.Context, change feed.Change) (requests []ctrl.Request) {
	for _, object := range []client.Object{change.Before, change.After} {
		switch o := object.(type) {
		case nil:
		case *metadata:
			if o.Labels[v1alpha1.LabelDepartmentHome] != "" {
				return append(r.projects(ctx), of(o.Name))
			}
			requests = append(requests, of(o.Name))
		default:
			if a := asset.New(o); a != nil && a.Kind != asset.Environment && !change.OnlyStatus() {
				return r.projects(ctx)
			}
		}
	}
	return requests
}
