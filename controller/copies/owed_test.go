// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestGivenBack: a pod that is stored between the list and the deletion gets the copy
// back, whatever goes wrong meanwhile.
func TestGivenBack(t *testing.T) {
	failing := errors.New("the API server is away")
	for name, test := range map[string]struct {
		arrange func(*stage)
		passes  int // with a second between them
		back    bool
	}{
		"at once":                 {func(*stage) {}, 1, true},
		"without an answer to it": {func(s *stage) { s.delete = func(real func() error) error { return errors.Join(failing, real()) } }, 1, true},
		"after a list that failed": {func(s *stage) {
			after := s.live
			s.live = func() (string, error) {
				if s.lists == 3 {
					return "", failing
				}
				return after()
			}
		}, 2, true},
		"after a creation that failed": {func(s *stage) {
			s.create = func(real func() error) error {
				s.create = nil
				return failing
			}
		}, 2, true},
		"a list that failed, and nobody": {func(s *stage) {
			s.live = func() (string, error) {
				if s.lists == 3 {
					return "", failing
				}
				return "", nil
			}
		}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.live = func() (string, error) {
				if s.lists > 2 {
					return "Pod a/p", nil
				}
				return "", nil
			}
			test.arrange(s)
			s.expect(v1alpha1.IssueDraining, "", 75*time.Second)
			s.clock.Step(75 * time.Second)
			var removed int
			for pass := range test.passes {
				if pass > 0 {
					if !s.Owes("1") {
						t.Fatal("nothing is owed")
					}
					s.clock.Step(time.Second)
				}
				report := s.pass()
				removed += len(report.Removed)
				if len(report.Left) == 0 && (test.back || pass+1 < test.passes) {
					t.Errorf("after pass %d nothing is left", pass)
				}
			}
			var secret corev1.Secret
			err := s.cluster.Get(t.Context(), s.seen.NamespacedName, &secret)
			if !test.back {
				if !apierrors.IsNotFound(err) || removed != 1 {
					t.Errorf("%d are told of as removed, error %v", removed, err)
				}
				return
			}
			if err != nil || string(secret.Data["k"]) != "not-a-secret" {
				t.Fatalf("it is not back: %v", err)
			}
			c, ours := Read(metadataOf(&secret))
			if !ours || c.CredentialUID != "1" || c.CredentialName != s.seen.CredentialName || c.Fingerprint != s.seen.Fingerprint || removed > 0 || s.Owes("1") {
				t.Errorf("it is %+v, %d are told of as removed", c, removed)
			}
		})
	}
}
