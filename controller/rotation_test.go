// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestRotationWritesEachCopyOnce also changes the keys: those that left the source
// must leave the copies.
func TestRotationWritesEachCopyOnce(t *testing.T) {
	w := newWorld(t)
	var projects []string
	for i := range 20 {
		projects = append(projects, w.project(fmt.Sprintf("p%d", i), ""))
	}
	w.run()
	c := w.generic("key")
	before := w.spread(c, 20)
	if writes := w.sent.writes("/secrets"); len(writes) != 21 { // and the fingerprint key
		t.Fatalf("spreading to 20 namespaces took %d writes: %v", len(writes), writes)
	}
	w.checkStatusWrites("key")

	for _, next := range []map[string]string{
		{"api-key": "not-a-secret-2", "region": "eu"},
		{"api-key": "not-a-secret-2", "zone": "1"},
		{"api-key": "not-a-secret-3"},
	} {
		w.sent.reset()
		source := w.secret(w.layout.SystemNamespace, "key")
		w.change(source, func() { source.Data = bytes(next) })
		after := w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
			return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 20
		})
		for _, project := range projects {
			w.checkCopy(w.secret(project, "genericsecret-key"), c, source, kinds[v1alpha1.Generic], after.Fingerprint)
		}
		w.settle(c)
		if writes := w.sent.writes("/secrets"); len(writes) != 20 || slices.ContainsFunc(writes, func(s string) bool { return !strings.HasPrefix(s, "PATCH ") }) {
			t.Errorf("rotation took %d writes of Secrets: %v", len(writes), writes)
		}
		w.checkStatusWrites("key")
		if len(after.Keys) != len(next) {
			t.Errorf("keys are %v", after.Keys)
		}
		before = after
	}
}

// checkStatusWrites checks that each write of a status has copies to tell of that the
// one before did not know: so there is one for a change, and more only of one that
// takes long.
func (w *world) checkStatusWrites(name string) {
	w.Helper()
	copied := false
	for _, write := range w.sent.writes("") {
		switch {
		case strings.HasSuffix(write, "/secrets"), strings.HasSuffix(write, "/secrets/genericsecret-"+name):
			copied = true
		case strings.HasSuffix(write, "/credentials/"+name+"/status"):
			if !copied {
				w.Fatalf("a status was written that has nothing new to tell: %v", w.sent.writes(""))
			}
			copied = false
		}
	}
}

// settle has the controller go through another pass over a credential, after all
// that it had to do: it brings an event of its source that changes nothing.
func (w *world) settle(c *v1alpha1.Credential) {
	w.Helper()
	w.nudges++
	path := fmt.Sprintf("/api/v1/namespaces/%s/secrets/%s", c.Namespace, c.Spec.SecretRef.Name)
	source := w.secret(c.Namespace, c.Spec.SecretRef.Name)
	reads := w.sent.reads(path)
	w.relabel(source, "nudge", fmt.Sprint(w.nudges))
	w.eventually("another pass", func() error {
		if w.sent.reads(path) == reads {
			return fmt.Errorf("the source was not read")
		}
		return nil
	})
}

func TestNothingChangedWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.project("a", "research")
	w.project("b", "sales")
	w.run()
	c := w.generic("key")
	status := w.spread(c, 2)
	w.settle(c)

	t.Run("another pass", func(t *testing.T) {
		w.sent.reset()
		w.settle(c)
		w.settle(c)
		if writes := w.sent.writes(""); len(writes) > 0 {
			t.Errorf("it wrote %v", writes)
		}
	})
	t.Run("a restart", func(t *testing.T) {
		w.run()
		w.settle(c)
		w.settle(c)
		if writes := w.sent.writes(""); len(writes) > 0 {
			t.Errorf("it wrote %v", writes)
		}
		if diff := cmp.Diff(status, w.spread(c, 2)); diff != "" {
			t.Errorf("status (-before +after):\n%s", diff)
		}
	})
}

// TestRotationWhileDown: level-triggered, so nothing that happened while no
// controller ran is missed.
func TestRotationWhileDown(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.generic("key")
	before := w.spread(c, 2)
	w.stop()

	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.relabel(w.namespaceNamed(b), w.layout.ProjectLabel, "")
	d := w.project("d", "")

	w.run()
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 2
	})
	for namespace, want := range map[string]string{a: "not-a-secret-2", d: "not-a-secret-2"} {
		if got := w.secret(namespace, "genericsecret-key"); got == nil || string(got.Data["api-key"]) != want {
			t.Errorf("%s does not have the new value", namespace)
		}
	}
	if w.secret(b, "genericsecret-key") != nil {
		t.Error("a namespace that left the scope meanwhile still has its copy")
	}
}

// TestLostFingerprintKey: a new key says nothing about change, so the copies get
// new fingerprints and keep their values.
func TestLostFingerprintKey(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	c := w.generic("key")
	before := w.spread(c, 1)
	w.stop()
	w.must(w.Delete(w.Context(), w.secret(w.layout.InstallNamespace, "credence-fingerprint-key")))
	w.run()
	after := w.status(c, "of another key", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
	if old, now, _ := strings.Cut(before.Fingerprint, ":"); strings.HasPrefix(after.Fingerprint, old+":") || now == "" {
		t.Errorf("the key id is still %s", old)
	}
	w.settle(c)
	if writes := w.sent.writes("/secrets/genericsecret"); len(writes) != 1 {
		t.Errorf("it took %v", writes)
	}
}
