// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/check"
)

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// environment is one of the generation 3 that gives credentials.
func environment(credentials ...v1alpha1.AssetName) *v1alpha1.Environment {
	return &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "torch", Generation: 3},
		Spec: v1alpha1.EnvironmentSpec{Credentials: credentials}}
}

func TestStatus(t *testing.T) {
	missing := check.Fault{Reason: v1alpha1.ReasonReferenceNotFound, Field: "spec.credentials[0]", Problem: "there is none"}
	other := check.Fault{Reason: v1alpha1.ReasonConflict, Field: "spec.env[1]", Problem: "it is there twice"}
	for name, test := range map[string]struct {
		credentials []v1alpha1.AssetName
		deleted     bool
		faults      []check.Fault
		used        *v1alpha1.UsedBy
		ready, says string
		inUse, told string
	}{
		"refers to nothing": {used: &v1alpha1.UsedBy{}, ready: "Resolved", says: "the environment can be used in every project of its scope",
			inUse: "NotUsed", told: "nothing uses the environment"},
		"resolves": {credentials: []v1alpha1.AssetName{"key"}, used: &v1alpha1.UsedBy{Total: 2, Workloads: 1, Templates: 1},
			ready: "Resolved", says: "all that the environment refers to can be had in every project of its scope",
			inUse: "Used", told: "used by 1 workload and 1 template; usedBy names them"},
		"one fault": {faults: []check.Fault{missing}, used: &v1alpha1.UsedBy{}, ready: "ReferenceNotFound", says: "spec.credentials[0]: there is none",
			inUse: "NotUsed", told: "nothing uses the environment"},
		"two": {faults: []check.Fault{missing, other}, ready: "ReferenceNotFound", says: "spec.credentials[0]: there is none; spec.env[1]: it is there twice",
			inUse: "UsageUnknown", told: "who uses the environment is not known yet"},
		"very many": {faults: []check.Fault{other, missing, missing, missing, missing, missing, missing}, ready: "Conflict",
			says:  "spec.env[1]: it is there twice" + strings.Repeat("; spec.credentials[0]: there is none", 4) + "; and 2 more",
			inUse: "UsageUnknown", told: "who uses the environment is not known yet"},
		"going": {deleted: true, faults: []check.Fault{missing}, used: &v1alpha1.UsedBy{}, ready: "Terminating", says: "the environment is being deleted",
			inUse: "NotUsed", told: "nothing uses the environment"},
	} {
		t.Run(name, func(t *testing.T) {
			object := environment(test.credentials...)
			if test.deleted {
				object.DeletionTimestamp = &metav1.Time{Time: noon}
			}
			o := &observation{object: object, asset: asset.New(object), faults: test.faults, used: test.used, now: noon}
			status := computeStatus(o)
			condition := func(kind string) [3]any {
				c := meta.FindStatusCondition(status.Conditions, kind)
				return [3]any{c.Reason, c.Message, c.ObservedGeneration}
			}
			if diff := cmp.Diff([3]any{test.ready, test.says, int64(3)}, condition("Ready")); diff != "" {
				t.Errorf("Ready (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([3]any{test.inUse, test.told, int64(3)}, condition("InUse")); diff != "" {
				t.Errorf("InUse (-want +got):\n%s", diff)
			}
			if status.ObservedGeneration != 3 || meta.IsStatusConditionTrue(status.Conditions, "Ready") != (test.ready == "Resolved") {
				t.Errorf("%+v", status)
			}
			object.Status = status
			o.now = noon.Add(time.Hour)
			if again := computeStatus(o); !equality.Semantic.DeepEqual(again, status) {
				t.Errorf("an hour later it is\n%+v, no longer\n%+v", again, status)
			}
			o.used = nil
			if again := computeStatus(o); !equality.Semantic.DeepEqual(again, status) {
				t.Errorf("what was known of users is forgotten:\n%+v", again)
			}
		})
	}
}
