// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// projects makes some, without a department.
func (w *world) projects(count int) []string {
	w.Helper()
	var names []string
	for i := range count {
		names = append(names, w.project(fmt.Sprintf("p%d", i), ""))
	}
	return names
}

// vanish has a Credential gone without its finalizer having run. Controllers are
// kept from putting it back meanwhile.
func (w *world) vanish(c *v1alpha1.Credential) {
	w.Helper()
	w.sent.frozen.Lock()
	defer w.sent.frozen.Unlock()
	w.strip(c)
	w.must(w.Delete(w.Context(), c))
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(c), c.DeepCopy()); !apierrors.IsNotFound(err) {
		w.Fatalf("it is still there: %v", err)
	}
}

func (w *world) strip(c *v1alpha1.Credential) {
	w.Helper()
	w.must(w.Patch(w.Context(), c, withoutFinalizers))
}

// held waits until so many strays are held for a reason, and none for another.
func (w *world) held(reason string, copies int) {
	w.Helper()
	w.eventually("strays are held", func() error {
		families, err := w.metrics.Gather()
		w.must(err)
		found := map[string]int{}
		for _, family := range families {
			if family.GetName() != "credence_stray_copies_held" {
				continue
			}
			for _, metric := range family.GetMetric() {
				if count := int(metric.GetGauge().GetValue()); count > 0 {
					found[metric.GetLabel()[0].GetValue()] = count
				}
			}
		}
		if len(found) != min(copies, 1) || found[reason] != copies {
			return fmt.Errorf("they are %v", found)
		}
		return nil
	})
}

// copies returns the UIDs of all copies of a name, by namespace.
func (w *world) copies(name string) map[string]string {
	w.Helper()
	var list corev1.SecretList
	w.must(w.List(w.Context(), &list, client.MatchingLabels{v1alpha1.LabelCopyOf: name}))
	found := map[string]string{}
	for i := range list.Items {
		found[list.Items[i].Namespace] = string(list.Items[i].UID)
	}
	return found
}

// count waits until a name has so many copies.
func (w *world) count(name string, copies int) {
	w.Helper()
	w.eventually(fmt.Sprintf("%s has %d copies", name, copies), func() error {
		if found := w.copies(name); len(found) != copies {
			return fmt.Errorf("it has %d", len(found))
		}
		return nil
	})
}

// told waits for an event about the Lease.
func (w *world) told(reason string) *eventsv1.Event {
	w.Helper()
	var found *eventsv1.Event
	w.eventually("there is an event "+reason, func() error {
		all := w.eventsIn(w.layout.InstallNamespace)
		for i := range all {
			if e := &all[i]; e.Reason == reason && e.Regarding.Kind == "Lease" && e.Regarding.Name == controller.LeaseName {
				found = e
				return nil
			}
		}
		return fmt.Errorf("there is none among %d", len(all))
	})
	return found
}

func (w *world) eventsIn(namespace string) []eventsv1.Event {
	w.Helper()
	var list eventsv1.EventList
	w.must(w.List(w.Context(), &list, client.InNamespace(namespace)))
	return list.Items
}

// release annotates the Lease as an administrator does.
func (w *world) release() {
	w.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.InstallNamespace, Name: controller.LeaseName}}
	w.must(client.IgnoreAlreadyExists(w.Create(w.Context(), lease)))
	w.change(lease, func() {
		lease.Annotations = map[string]string{v1alpha1.AnnotationReleaseStrays: time.Now().Add(10 * time.Minute).Format(time.RFC3339)}
	})
}

// TestStraysGo: copies go with their Credential although its finalizer was
// stripped, while no controller ran or while one did.
func TestStraysGo(t *testing.T) {
	w := newWorld(t)
	w.projects(2)
	w.run()
	first, second, other := w.generic("first"), w.generic("second"), w.generic("other")
	for _, c := range []*v1alpha1.Credential{first, second, other} {
		w.spread(c, 2)
	}
	w.stop()
	w.vanish(first)
	w.run()
	w.count("first", 0)
	w.vanish(second)
	w.count("second", 0)
	w.spread(other, 2)
	w.held("", 0)
}

// TestMassRemovalIsHeld: an old etcd was restored, or a script went through the
// finalizers. Nothing goes until somebody says so, in either of two ways.
func TestMassRemovalIsHeld(t *testing.T) {
	w := newWorld(t)
	w.projects(11)
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 11)
	w.spread(other, 11)
	w.stop()
	w.vanish(c)
	before := w.copies("key")
	w.run()
	w.held("TooManyStrays", 11)
	if e := w.told("TooManyStrays"); e.Type != corev1.EventTypeWarning || !strings.Contains(e.Note, "11 of 22") || !strings.Contains(e.Note, v1alpha1.AnnotationReleaseStrays) {
		t.Errorf("the event is %s: %s", e.Type, e.Note)
	}
	source := w.secret(w.layout.SystemNamespace, "other")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") }) // the others are served meanwhile
	w.status(other, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != other.Status.Fingerprint && s.Namespaces.Ready == 11
	})

	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.InstallNamespace, Name: controller.LeaseName,
		Annotations: map[string]string{v1alpha1.AnnotationReleaseStrays: "true"}}}
	w.must(w.Create(w.Context(), lease))
	w.sent.reset()
	w.eventually("the Lease is read in two sessions, twice in each", func() error {
		if w.sent.reads("/apis/coordination.k8s.io/v1/namespaces/"+lease.Namespace+"/leases/"+lease.Name) < 5 {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	if after := w.copies("key"); len(after) != len(before) {
		t.Fatalf("%d of %d copies are left", len(after), len(before))
	}
	w.release()
	w.count("key", 0)
	w.told("StraysReleased")
	w.held("", 0)
	w.spread(other, 11)
}

func TestReleasedByFlag(t *testing.T) {
	w := newWorld(t)
	w.projects(11)
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 11)
	w.spread(other, 11)
	w.vanish(c)
	w.held("TooManyStrays", 11)
	w.configure = func(o *controller.Options) { o.ReleaseStrays = true }
	w.run()
	w.count("key", 0)
	w.spread(other, 11)
}

// TestOneAfterTheOtherIsHeld: each Credential that vanishes is a small matter.
func TestOneAfterTheOtherIsHeld(t *testing.T) {
	w := newWorld(t)
	w.projects(6)
	w.run()
	first, second, other := w.generic("first"), w.generic("second"), w.generic("other")
	for _, c := range []*v1alpha1.Credential{first, second, other} {
		w.spread(c, 6)
	}
	w.vanish(first)
	w.count("first", 0)
	w.vanish(second)
	w.held("TooManyStrays", 6)
	w.count("second", 6)
}

// TestNoCredentialAtAll: an empty list is no proof.
func TestNoCredentialAtAll(t *testing.T) {
	w := newWorld(t)
	w.projects(1)
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.stop()
	w.vanish(c)
	w.run()
	w.held("NoCredentials", 1)
	w.told("NoCredentials")
	w.count("key", 1)
	w.spread(w.generic("other"), 1) // now it is one stray of two copies
	w.count("key", 0)
}
