// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStateSurvivesTheSecret(t *testing.T) {
	a, b, c, d := mustSigner(t, epoch, day), mustSigner(t, epoch, day), mustSigner(t, epoch, day), mustSigner(t, epoch, day)
	want := state{current: a, next: b, nextPublishedAt: epoch.Add(time.Hour), rotateRequested: true, retired: []retiredCA{
		{c.certificate, epoch.Add(3 * time.Hour)}, {d.certificate, epoch.Add(2 * time.Hour)},
	}}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"mine": "kept", RotateAnnotation: "now"}},
		Data:       map[string][]byte{"mine": []byte("kept")},
	}
	want.writeTo(secret)
	got, problems := readState(secret)
	names := map[string]string{a.String(): "a", b.String(): "b", c.String(): "c", d.String(): "d"}
	if diff := cmp.Diff(summarize(want, names), summarize(got, names)); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v; state (-written +read):\n%s", problems, diff)
	}
	if secret.Annotations["mine"] != "kept" || string(secret.Data["mine"]) != "kept" {
		t.Errorf("foreign entries changed: %v", secret.Annotations)
	}
	for key, value := range secret.Annotations {
		assertNoKey(t, key+value, a, b, c, d)
	}
	assertNoKey(t, string(secret.Data[BundleKey]), a, b, c, d)

	// The end of a rotation leaves nothing of it behind.
	state{current: a}.writeTo(secret)
	wantAnnotations := map[string]string{"mine": "kept"}
	if diff := cmp.Diff(wantAnnotations, secret.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if _, ok := secret.Data[NextPrivateKeyKey]; ok {
		t.Error("the next CA's key is still there")
	}
}

func TestReadStateSalvages(t *testing.T) {
	a, b := mustSigner(t, epoch, day), mustSigner(t, epoch, day)
	names := map[string]string{a.String(): "a", b.String(): "b"}
	for name, test := range map[string]struct {
		damage   func(*corev1.Secret)
		want     summary
		problems []string // the beginning of each
	}{
		"nothing wrong": {
			damage: func(*corev1.Secret) {},
			want:   summary{Current: "a", Next: "b", PublishedAt: time.Hour},
		},
		"empty": {
			damage:   func(s *corev1.Secret) { s.Data, s.Annotations = nil, nil },
			problems: []string{"tls.crt and tls.key are unusable"},
		},
		"signing key gone": {
			damage:   func(s *corev1.Secret) { delete(s.Data, corev1.TLSPrivateKeyKey) },
			want:     summary{Next: "b", Retired: map[string]time.Duration{"a": time.Time{}.Sub(epoch)}, PublishedAt: time.Hour},
			problems: []string{"tls.crt and tls.key are unusable"},
		},
		"signing key is another's": {
			damage:   func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = s.Data[NextPrivateKeyKey] },
			want:     summary{Next: "b", Retired: map[string]time.Duration{"a": time.Time{}.Sub(epoch)}, PublishedAt: time.Hour},
			problems: []string{"tls.crt and tls.key are unusable"},
		},
		"next key gone": {
			damage:   func(s *corev1.Secret) { delete(s.Data, NextPrivateKeyKey) },
			want:     summary{Current: "a", Retired: map[string]time.Duration{"b": time.Time{}.Sub(epoch)}},
			problems: []string{"next.crt and next.key are unusable"},
		},
		"bundle gone": {
			damage:   func(s *corev1.Secret) { delete(s.Data, BundleKey) },
			want:     summary{Current: "a", Next: "b", PublishedAt: time.Hour},
			problems: []string{"ca.crt lacks the CA"},
		},
		"bundle is garbage": {
			damage:   func(s *corev1.Secret) { s.Data[BundleKey] = []byte("hello") },
			want:     summary{Current: "a", Next: "b", PublishedAt: time.Hour},
			problems: []string{"ca.crt holds something other", "ca.crt lacks the CA"},
		},
		"annotations are garbage": {
			damage: func(s *corev1.Secret) {
				s.Annotations[NextPublishedAtAnnotation] = "yesterday"
				s.Annotations[RetireAfterAnnotation] = "x,y=z"
			},
			want:     summary{Current: "a", Next: "b"},
			problems: []string{"annotation certs.credence.dev/next-published-at", "annotation certs.credence.dev/retire-after"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{}
			state{current: a, next: b, nextPublishedAt: epoch.Add(time.Hour)}.writeTo(secret)
			test.damage(secret)
			got, problems := readState(secret)
			if diff := cmp.Diff(test.want, summarize(got, names)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if len(problems) != len(test.problems) {
				t.Fatalf("problems %q, want %q", problems, test.problems)
			}
			for i, problem := range problems {
				if !strings.HasPrefix(problem, test.problems[i]) {
					t.Errorf("problem %q, want %q", problem, test.problems[i])
				}
				assertNoKey(t, problem, a, b)
			}
		})
	}
}
