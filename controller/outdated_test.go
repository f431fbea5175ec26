// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// rotate gives a credential's source another value and waits until its status says
// since when.
func (w *world) rotate(c *v1alpha1.Credential, value string) v1alpha1.CredentialStatus {
	w.Helper()
	before := w.status(c, "there", func(s v1alpha1.CredentialStatus) bool { return s.Fingerprint != "" })
	source := w.secret(c.Namespace, c.Spec.SecretRef.Name)
	w.change(source, func() { source.Data["api-key"] = []byte(value) })
	return w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.RotatedAt != nil && !s.RotatedAt.Equal(before.RotatedAt)
	})
}

// TestOutdatedPods: a container that reads a value through its environment keeps
// the old one. Files refresh by themselves.
func TestOutdatedPods(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	old := w.pod(a, "old", "genericsecret-key", nil)
	w.started(old, time.Now().Add(-time.Hour))
	later := w.pod(a, "later", "genericsecret-key", nil)
	w.started(later, time.Now().Add(time.Hour))
	w.pod(a, "pending", "genericsecret-key", nil)
	files := w.pod(a, "files", "", func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "genericsecret-key"}}}}
	})
	w.started(files, time.Now().Add(-time.Hour))
	status := w.usedBy(c, "Pod "+a+"/files", "Pod "+a+"/later", "Pod "+a+"/old", "Pod "+a+"/pending")
	if status.OutdatedPods != 0 || status.RotatedAt != nil {
		t.Errorf("before any change: %+v", status)
	}

	began := time.Now().Truncate(time.Second)
	status = w.rotate(c, "not-a-secret-2")
	if status.OutdatedPods != 1 || status.RotatedAt.Time.Before(began) || status.RotatedAt.After(time.Now()) {
		t.Errorf("%d pods have old values, since %s", status.OutdatedPods, status.RotatedAt)
	}
	w.eventually("it is told", func() error {
		return w.says(c, "Normal Rotated: the values of Secret "+c.Namespace+"/key changed; containers of 1 pod read the old ones")
	})

	w.remove(old)
	w.status(c, "without old values", func(s v1alpha1.CredentialStatus) bool {
		return s.OutdatedPods == 0 && s.RotatedAt.Equal(status.RotatedAt)
	})
}

// TestRotatedAt: only a change of the values counts, and none is missed.
func TestRotatedAt(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	c := w.generic("key")
	if status := w.spread(c, 1); status.RotatedAt != nil {
		t.Errorf("new, and rotated at %s", status.RotatedAt)
	}
	unchanged := func(what string, before v1alpha1.CredentialStatus) {
		t.Helper()
		w.settle(c)
		w.settle(c)
		if now := w.spread(c, 1); !now.RotatedAt.Equal(before.RotatedAt) {
			t.Errorf("%s: rotated at %s, not %s", what, now.RotatedAt, before.RotatedAt)
		}
	}
	tick := func(since v1alpha1.CredentialStatus) { // times are told in seconds
		t.Helper()
		w.eventually("a second has passed", func() error {
			if !time.Now().Truncate(time.Second).After(since.RotatedAt.Time) {
				return errNotYet
			}
			return nil
		})
	}
	first := w.rotate(c, "not-a-secret-2")
	tick(first)

	recreate := func(value string) {
		t.Helper()
		w.must(w.Delete(w.Context(), w.secret(c.Namespace, "key")))
		w.because(c, v1alpha1.ReasonSourceMissing)
		k := kinds[v1alpha1.Generic]
		k.data = map[string]string{"api-key": value, "region": "eu"}
		w.source(c.Namespace, "key", k, clusterScope)
	}
	recreate("not-a-secret-2")
	unchanged("recreated with the same values", first)

	w.run()
	unchanged("a restart", first)

	w.stop()
	w.must(w.Delete(w.Context(), w.secret(w.layout.InstallNamespace, "credence-fingerprint-key")))
	w.run()
	w.status(c, "of another key", func(s v1alpha1.CredentialStatus) bool { return s.Fingerprint != first.Fingerprint })
	unchanged("a lost fingerprint key", first)

	recreate("not-a-secret-3")
	second := w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool { return !s.RotatedAt.Equal(first.RotatedAt) })
	tick(second)

	w.stop() // and while nobody looks
	source := w.secret(c.Namespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-4") })
	w.run()
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool { return s.RotatedAt.After(second.RotatedAt.Time) })
}

// TestRotationWhileWithdrawn: values that change while the source is not authorized
// have changed all the same when it is again, for copies and for a project's pods.
func TestRotationWhileWithdrawn(t *testing.T) {
	for name, scope := range map[string]v1alpha1.Scope{"copies": clusterScope, "project": projectScope} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).restarting()
			a := w.project("a", "")
			w.run()
			namespace, secret := w.layout.SystemNamespace, "genericsecret-key"
			if scope == projectScope {
				namespace, secret = a, "key"
			}
			source := w.source(namespace, "key", kinds[v1alpha1.Generic], scope)
			c := w.credential(namespace, "key", v1alpha1.Generic, scope)
			w.change(c, func() { c.Spec.Rotation = &v1alpha1.Rotation{Restart: true} })
			before := w.spread(c, 1)
			web, _ := w.web(a, "web", secret)
			w.usedBy(c, "Deployment "+a+"/web")

			label := source.Labels[v1alpha1.LabelSourceType]
			w.relabel(source, v1alpha1.LabelSourceType, "")
			w.because(c, v1alpha1.ReasonSourceNotAuthorized)
			w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
			w.quietly(a)
			if writes := w.patches(web); len(writes) > 0 {
				t.Errorf("restarted while the source is not authorized: %q", writes)
			}

			w.relabel(source, v1alpha1.LabelSourceType, label)
			after := w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
				return s.RotatedAt != nil && s.Fingerprint != before.Fingerprint && s.OutdatedPods == 1 && s.Namespaces.Ready == 1
			})
			w.restarted(web, after.Fingerprint)
			w.eventually("it is told", func() error {
				return w.says(c, "Normal Rotated: the values of Secret "+c.Namespace+"/key changed")
			})
		})
	}
}
