// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// events waits until there are events with these reasons, and only they.
func (w *world) events(c *v1alpha1.Credential, reasons ...string) []eventsv1.Event {
	w.Helper()
	slices.Sort(reasons)
	var list eventsv1.EventList
	w.eventually("the events are told", func() error {
		w.must(w.List(w.Context(), &list, client.InNamespace(c.Namespace)))
		var got []string
		for i := range list.Items {
			got = append(got, list.Items[i].Reason)
		}
		slices.Sort(got)
		if !slices.Equal(got, reasons) {
			return fmt.Errorf("they are %v, not %v", got, reasons)
		}
		return nil
	})
	return list.Items
}

func TestEventsTellOfChanges(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.events(c, "Propagated")
	w.run() // tells nothing again
	w.settle(c)
	w.relabel(w.secret(w.layout.SystemNamespace, "key"), v1alpha1.LabelSourceType, "")
	w.because(c, v1alpha1.ReasonSourceNotAuthorized)
	for _, event := range w.events(c, "Propagated", "SourceNotAuthorized", "Withdrawn") {
		if event.Reason == "Withdrawn" && !strings.Contains(event.Note, a) {
			t.Errorf("it does not say from where: %s", event.Note)
		}
	}
}

// TestValuesAreNotTold: a policy may quote what it saw, in what it answers.
func TestValuesAreNotTold(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	policy, _ := w.refuseSecrets(a)
	strict := policy.(*admissionv1.ValidatingAdmissionPolicy)
	w.change(strict, func() {
		strict.Spec.Validations[0].MessageExpression = `"seen: " + string(object.data["api-key"])`
	})
	w.eventually("the policy tells", func() error {
		probe := &corev1.Secret{Data: bytes(map[string]string{"api-key": "probe"})}
		probe.Namespace, probe.GenerateName = a, "probe-"
		if err := w.Create(w.Context(), probe, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "seen: ") {
			return fmt.Errorf("it says: %w", err)
		}
		return nil
	})
	w.run()
	k := kinds[v1alpha1.Generic]
	k.data = map[string]string{"api-key": "not-a-secret"}
	w.source(w.layout.SystemNamespace, "key", k, clusterScope)
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	status := w.because(c, v1alpha1.ReasonNamespaceIssues)
	told, err := json.Marshal([]any{status, w.events(c, "NamespaceIssues")})
	w.must(err)
	for _, value := range []string{"not-a-secret", "bm90LWEtc2VjcmV0"} {
		if strings.Contains(string(told), value) {
			t.Errorf("%s is told: %s", value, told)
		}
	}
}
