// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/credence-dev/credence/controller/carry"
	"github.com/credence-dev/credence/controller/doctor"
	"github.com/credence-dev/credence/controller/kinds"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
)

// Workloads follows workloads. usage.Follower does.
type Workloads interface {
	kinds.Follower
	carry.Index
}

// Repair says what is put right that is only told of otherwise.
type Repair struct {
	// Carry has annotations carried to pod templates where the webhook was not there to
	// do it.
	Carry bool
	// Evict has pods replaced that were not injected, or wait for their images without a
	// registry login that serves one.
	Evict bool
}

// setupWorkloads adds what deals with the workloads themselves: the kinds that users
// tell of, and annotations that were not carried.
func setupWorkloads(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Workloads == nil {
		return nil
	}
	known := &workload.Registry{}
	err := kinds.Setup(ctx, mgr, kinds.Options{
		Claims:     known,
		Follower:   options.Workloads,
		APIReader:  options.APIReader,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Repair:     options.Repair.Carry,
		Controller: controllerOptions(1, logPlain[reconcile.Request](mgr.GetLogger())),
		Wrap: func(inner reconcile.Reconciler) reconcile.Reconciler {
			return progress.Observe(options.Progress, "workloadkind", inner)
		},
	})
	if err != nil {
		return err
	}
	return carry.Setup(mgr, carry.Options{
		Repair:     options.Repair.Carry,
		Index:      options.Workloads,
		Catalog:    options.Catalog,
		Kinds:      known,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Registerer: options.Registerer,
		Controller: controllerOptions(1, logPlain[usage.Uncarried](mgr.GetLogger())),
		Wrap: func(inner reconcile.TypedReconciler[usage.Uncarried]) reconcile.TypedReconciler[usage.Uncarried] {
			return progress.Observe(options.Progress, "carry", inner)
		},
	})
}

// setupDoctor adds what finds what admission did not do.
func setupDoctor(mgr manager.Manager, options Options) error {
	var uncarried func() []usage.Uncarried
	if options.Workloads != nil {
		uncarried = options.Workloads.Uncarried
	}
	settings := options.Doctor
	settings.Evict = options.Repair.Evict
	return doctor.Setup(mgr, doctor.Options{
		Settings:   settings,
		Catalog:    options.Catalog,
		Feed:       options.Feed,
		Index:      options.Usage,
		Uncarried:  uncarried,
		APIReader:  options.APIReader,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Registerer: options.Registerer,
	})
}
