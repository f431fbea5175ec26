// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/charts"
)

// resourceWorld has an API server of its own, whose CRDs may go.
func resourceWorld(t *testing.T) (*world, func() error) {
	t.Helper()
	at := apitest.Start(t, charts.CRDs)
	install := func() error {
		crds, err := charts.CRDs()
		if err != nil {
			return err
		}
		_, err = envtest.InstallCRDs(at, envtest.CRDInstallOptions{CRDs: crds})
		return err
	}
	return newWorldAt(t, at), install
}

func credentialsCRD() *unstructured.Unstructured {
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName("credentials.credence.dev")
	return crd
}

// TestDeletedResource: kubectl delete crd takes every Credential, and would by
// their finalizers take every copy. It takes none (kubernetes-external-secrets#604).
func TestDeletedResource(t *testing.T) {
	w, install := resourceWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	a, b := w.project("a", "research"), w.project("b", "")
	w.run()
	c, forced, kept := w.generic("key"), w.generic("forced"), w.generic("kept")
	w.source(home, "homely", kinds[v1alpha1.Generic], researchScope)
	homely := w.credential(home, "homely", v1alpha1.Generic, researchScope)
	made := w.made(b, "own", "own", nil)
	own := w.credential(b, "own", v1alpha1.Generic, projectScope)
	w.adopted(made, own) // and would be collected after it
	known := w.spread(c, 2)
	for credential, namespaces := range map[*v1alpha1.Credential]int32{forced: 2, kept: 2, homely: 1, own: 1} {
		w.spread(credential, namespaces)
	}
	before, ofHome := w.copies("key"), w.copies("homely")

	w.must(w.Delete(w.Context(), credentialsCRD()))
	for _, credential := range []*v1alpha1.Credential{c, forced, kept, homely, own} {
		status := w.because(credential, v1alpha1.ReasonHeld)
		if status.State != v1alpha1.StateDeleting || !cmp.Equal(status.Keys, known.Keys) {
			t.Errorf("the status is %+v", status)
		}
	}
	w.eventually("it is told", func() error {
		for _, event := range w.reasons(c) {
			if event == v1alpha1.ReasonHeld {
				return nil
			}
		}
		return errors.New("it is not")
	})

	for credential, force := range map[*v1alpha1.Credential]string{forced: "true", kept: "keep"} {
		w.change(credential, func() { credential.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: force} })
		w.gone(credential)
	}
	if w.secret(a, "genericsecret-forced") != nil || w.secret(a, "genericsecret-kept") == nil {
		t.Error("force-delete does not do as it says")
	}
	w.must(w.Delete(w.Context(), w.namespaceNamed(home)))
	w.gone(homely) // its namespace waits for nothing

	w.run() // a restart changes nothing
	w.because(c, v1alpha1.ReasonHeld)
	w.because(own, v1alpha1.ReasonHeld)
	w.held("ResourceTerminating", 1)

	w.strip(c) // as an uninstallation does
	w.strip(own)
	w.gone(credentialsCRD())
	w.held("ResourceMissing", 3)
	w.same("key", before)
	w.same("homely", ofHome)

	w.must(install())
	w.held("NoCredentials", 3)
	again := w.credential(c.Namespace, c.Name, v1alpha1.Generic, clusterScope)
	w.spread(again, 2)
	w.same("key", before)
	w.count("homely", 0) // a stray like any other
}

// TestReleasedResource: whoever deletes the resource and means it says so.
func TestReleasedResource(t *testing.T) {
	w, install := resourceWorld(t)
	w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.must(w.Delete(w.Context(), credentialsCRD()))
	w.because(c, v1alpha1.ReasonHeld)
	w.release()
	w.gone(credentialsCRD())
	w.count("key", 0)
	w.must(install())
}

// reasons of the events about a Credential.
func (w *world) reasons(c *v1alpha1.Credential) []string {
	w.Helper()
	var reasons []string
	for _, e := range w.eventsIn(c.Namespace) {
		if e.Regarding.Name == c.Name {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// same checks that the copies of a name are still the same Secrets.
func (w *world) same(name string, before map[string]string) {
	w.Helper()
	if diff := cmp.Diff(before, w.copies(name)); diff != "" {
		w.Errorf("copies of %s (-before +after):\n%s", name, diff)
	}
}
