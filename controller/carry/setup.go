// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
)

// Index knows the workloads whose annotations were not carried. usage.Follower is
// one.
type Index interface {
	Uncarried() []usage.Uncarried
	NotifyUncarried(listener func())
}

// Options are the settings and the parts. All parts are required, but for Wrap.
type Options struct {
	// Repair says whether annotations are carried. If not, they are told of.
	Repair bool
	// Settle is how long changes are collected, and how long a workload may be without
	// before that is told. The default is 2 s.
	Settle time.Duration
	// Patience is how long somebody who takes back what was carried is let be, and twice
	// as long each time. The default is 5 min.
	Patience time.Duration
	// PerSecond is how many workloads are patched in a second, because each is a
	// roll-out. The default is 1.
	PerSecond float32
	Index     Index
	Catalog   *catalog.Catalog
	// Kinds are those that are known.
	Kinds    *workload.Registry
	Clock    clock.PassiveClock
	Recorder recorder.EventRecorder
	// Registerer takes the metric.
	Registerer prometheus.Registerer
	Controller controller.TypedOptions[usage.Uncarried]
	// Wrap goes around the reconciler.
	Wrap func(reconcile.TypedReconciler[usage.Uncarried]) reconcile.TypedReconciler[usage.Uncarried]
}

// Setup adds the controller to a manager. It must be called before the manager
// starts.
func Setup(mgr manager.Manager, options Options) error {
	objects, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client for workloads: %w", err)
	}
	known := facts{index: options.Index, catalog: options.Catalog}
	if err := options.Registerer.Register(&gauge{known}); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	r := &reconciler{
		backlog:  &backlog{},
		kinds:    options.Kinds,
		objects:  objects,
		mapper:   mgr.GetRESTMapper(),
		clock:    options.Clock,
		recorder: options.Recorder,
		repair:   options.Repair,
		patience: cmp.Or(options.Patience, 5*time.Minute),
		pace:     flowcontrol.NewTokenBucketRateLimiter(cmp.Or(options.PerSecond, 1), 5),
	}
	var reconciler reconcile.TypedReconciler[usage.Uncarried] = r
	if options.Wrap != nil {
		reconciler = options.Wrap(r)
	}
	return builder.TypedControllerManagedBy[usage.Uncarried](mgr).Named("carry").
		WatchesRawSource(&watch{facts: known, backlog: r.backlog, memory: &r.memory, settle: cmp.Or(options.Settle, 2*time.Second), elected: mgr.Elected()}).
		WithOptions(options.Controller).
		Complete(reconciler)
}
