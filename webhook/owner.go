// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/injector/pod"
)

// maxOwners bounds the way from a pod to its top-level owner. The longest built-in
// one is Pod, Job, CronJob.
const maxOwners = 4

// builtInOwners are the kinds that the service account may read.
var builtInOwners = map[string]bool{
	"apps/v1/Deployment": true, "apps/v1/ReplicaSet": true, "apps/v1/StatefulSet": true, "apps/v1/DaemonSet": true,
	"batch/v1/Job": true, "batch/v1/CronJob": true, "v1/ReplicationController": true,
}

// ownerReader finds out how old the workload of a pod is. It is asked only while a
// credential is being deleted, and reads live.
type ownerReader struct {
	live *liveReader
}

// since returns when the pod's top-level owner was created, and false for a pod
// that nothing controls. A reference to a built-in kind is not believed: who writes
// one to an object that does not exist controls the pod himself.
//
// An owner that cannot be read, because its kind is not built in or the API server
// does not answer, counts as old, whatever is known of the objects in between: a
// pod that is replaced must not be kept from running. That is a limit: whoever may
// create pods can still use a credential that is being deleted, by a reference to a
// kind that is not built in. To delete it keeps him out only once it is gone.
func (o *ownerReader) since(v *visit, metadata *pod.Metadata) (time.Time, bool) {
	reference, ok := metadata.Controller()
	if !ok {
		return time.Time{}, false
	}
	var below client.Object // the last that was found
	for range maxOwners {
		if !builtInOwners[reference.APIVersion+"/"+reference.Kind] {
			return time.Time{}, true
		}
		key := types.NamespacedName{Namespace: v.namespace, Name: reference.Name}
		owner, err := o.live.get(v, key, &metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{APIVersion: reference.APIVersion, Kind: reference.Kind},
		})
		if err != nil {
			return time.Time{}, true
		}
		if owner == nil || string(owner.GetUID()) != reference.UID {
			return created(below)
		}
		next := metav1.GetControllerOf(owner)
		if next == nil {
			return created(owner)
		}
		below = owner
		reference = pod.OwnerReference{APIVersion: next.APIVersion, Kind: next.Kind, Name: next.Name, UID: string(next.UID)}
	}
	return time.Time{}, true
}

func created(owner client.Object) (time.Time, bool) {
	if owner == nil {
		return time.Time{}, false
	}
	return owner.GetCreationTimestamp().Time, true
}
