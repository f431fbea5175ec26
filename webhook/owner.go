// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/injector"
)

// maxOwners bounds the way from a pod to its top-level owner. The longest built-in
// one is CronJob, Job, Pod.
const maxOwners = 4

// builtInOwners are the kinds that the service account may read.
var builtInOwners = map[string]bool{
	"apps/v1/Deployment": true, "apps/v1/ReplicaSet": true, "apps/v1/StatefulSet": true, "apps/v1/DaemonSet": true,
	"batch/v1/Job": true, "batch/v1/CronJob": true, "v1/ReplicationController": true,
}

// ownerReader finds out how old the workload of a pod is. It is asked only while a
// credential is being deleted, and reads live.
type ownerReader struct {
	reader client.Reader
}

// since returns when the pod's top-level owner was created, and false for a pod
// that nothing controls. An owner reference is not believed: who writes one to an
// object that does not exist controls the pod himself. Owners of kinds that are not
// built in cannot be read; they count as old, because a pod that is replaced must
// not be kept from running.
func (o *ownerReader) since(ctx context.Context, namespace string, pod *injector.Pod) (time.Time, bool) {
	reference, ok := pod.Metadata.Controller()
	if !ok {
		return time.Time{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	var since time.Time
	for range maxOwners {
		if !builtInOwners[reference.APIVersion+"/"+reference.Kind] {
			return since, true
		}
		owner := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: reference.APIVersion, Kind: reference.Kind}}
		err := o.reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: reference.Name}, owner)
		if apierrors.IsNotFound(err) || err == nil && string(owner.UID) != reference.UID {
			return time.Time{}, false
		}
		if err != nil {
			return since, true
		}
		since = owner.CreationTimestamp.Time
		next := metav1.GetControllerOf(owner)
		if next == nil {
			return since, true
		}
		reference = injector.OwnerReference{APIVersion: next.APIVersion, Kind: next.Kind, Name: next.Name, UID: string(next.UID)}
	}
	return since, true
}
