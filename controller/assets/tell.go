// SPDX-License-Identifier: Apache-2.0

package assets

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/words"
)

// actionResolve is the action of the events about an asset.
const actionResolve = "Resolve"

// tell records an event if the condition Ready means something else than before.
// Nothing is told twice, nor at a restart.
func (r *reconciler) tell(object client.Object, before, now []metav1.Condition) {
	was, is := meta.FindStatusCondition(before, v1alpha1.ConditionReady), meta.FindStatusCondition(now, v1alpha1.ConditionReady)
	if is.Reason == v1alpha1.ReasonTerminating || was != nil && was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	kind := corev1.EventTypeWarning
	if is.Status == metav1.ConditionTrue {
		kind = corev1.EventTypeNormal
	}
	r.recorder.Eventf(object, nil, kind, is.Reason, actionResolve, "%s", words.Cut(is.Message, words.EventNote))
}
