// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/credence-dev/credence/controller/cabundle"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/progress"
)

// setupBundle adds what keeps the certificates for data sources where they are needed.
func setupBundle(mgr manager.Manager, options Options, cluster lookup.Cluster) error {
	if options.CABundle.Name == "" {
		return nil
	}
	// Of no other ConfigMap of the cluster anything is read: by its name a right can be
	// held to it.
	configMaps, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:           mgr.GetHTTPClient(),
		Scheme:               mgr.GetScheme(),
		Mapper:               mgr.GetRESTMapper(),
		DefaultFieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, options.CABundle.Name),
		DefaultTransform:     copies.Slim,
	})
	if err != nil {
		return fmt.Errorf("making the cache of ConfigMaps: %w", err)
	}
	if err := mgr.Add(startedWithCaches{configMaps}); err != nil {
		return fmt.Errorf("adding the cache of ConfigMaps: %w", err)
	}
	return cabundle.Setup(mgr, cabundle.Options{
		Settings:   options.CABundle,
		Catalog:    options.Catalog,
		Feed:       options.Feed,
		Index:      options.Usage,
		ConfigMaps: configMaps,
		Cluster:    cluster,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Registerer: options.Registerer,
		Controller: controllerOptions(4, logPlain[reconcile.Request](mgr.GetLogger())),
		Wrap: func(inner reconcile.Reconciler) reconcile.Reconciler {
			return progress.Observe(options.Progress, "cabundle", inner)
		},
	})
}
