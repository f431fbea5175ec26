// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// Options are the parts. All are required, but for Wrap.
type Options struct {
	// Claims gets what WorkloadKinds say, and Follower follows it.
	Claims   *workload.Registry
	Follower Follower
	// APIReader reads definitions and configurations without a cache.
	APIReader client.Reader
	Recorder  recorder.EventRecorder
	// Repair says that workloads are patched, which takes more rights.
	Repair     bool
	Controller controller.Options
	// Wrap goes around the reconciler.
	Wrap func(reconcile.Reconciler) reconcile.Reconciler
}

// Setup adds the controller to a manager. It must be called before the manager
// starts, and its context is needed only until it returns.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.WorkloadKind{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("following WorkloadKinds: %w", err)
	}
	follow := &followed{claims: options.Claims, follower: options.Follower}
	if _, err := informer.AddEventHandler(follow.handler()); err != nil {
		return fmt.Errorf("following WorkloadKinds: %w", err)
	}
	objects, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client for webhook configurations: %w", err)
	}
	var reconciler reconcile.Reconciler = &reconciler{
		client: mgr.GetClient(), live: options.APIReader, discovery: objects.Discovery(), recorder: options.Recorder, repair: options.Repair,
	}
	if options.Wrap != nil {
		reconciler = options.Wrap(reconciler)
	}
	build := builder.ControllerManagedBy(mgr).Named("workloadkind").
		WatchesRawSource(source.Kind(mgr.GetCache(), &v1alpha1.WorkloadKind{}, one[*v1alpha1.WorkloadKind]()))
	// Nobody else writes the configuration, or it is put right.
	for _, name := range []string{chartConfiguration, ConfigurationName} {
		informer := admissioninformers.NewFilteredMutatingWebhookConfigurationInformer(objects, 0, toolscache.Indexers{}, func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		})
		if err := mgr.Add(running{informer}); err != nil {
			return fmt.Errorf("watching webhook configurations: %w", err)
		}
		build = build.WatchesRawSource(&source.Informer{Informer: informer, Handler: one[client.Object]()})
	}
	return build.WithOptions(options.Controller).Complete(reconciler)
}

// one answers every event with the same request.
func one[object client.Object]() handler.TypedEventHandler[object, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
}

// running is an informer that runs where the process does not lead, too.
type running struct{ toolscache.SharedIndexInformer }

// Start implements manager.Runnable.
func (r running) Start(ctx context.Context) error {
	r.RunWithContext(ctx)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r running) NeedLeaderElection() bool { return false }
