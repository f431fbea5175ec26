// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// FollowKinds has a registry follow the WorkloadKinds of a cluster, as long as the
// cache runs. It returns what says whether those that existed at the start are known.
// Whether one is right is the controller's question: it has the API server ask us
// about the kinds of those that are.
func FollowKinds(ctx context.Context, informers cache.Informers, into *workload.Registry) (synced func() bool, err error) {
	informer, err := informers.GetInformer(ctx, &v1alpha1.WorkloadKind{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("following WorkloadKinds: %w", err)
	}
	set := func(object any) {
		told, ok := object.(*v1alpha1.WorkloadKind)
		if !ok {
			return
		}
		kind, err := workload.Read(&told.Spec)
		if err != nil {
			into.Remove(told.Name)
			return
		}
		into.Set(workload.Claim{Name: told.Name, Created: told.CreationTimestamp.Time, Kind: kind})
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, object any) { set(object) },
		DeleteFunc: func(object any) {
			if name, err := toolscache.DeletionHandlingObjectToName(object); err == nil {
				into.Remove(name.Name)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("following WorkloadKinds: %w", err)
	}
	return registration.HasSynced, nil
}
