// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// TestEntitled: only who may have a source has a claim to it, whatever is in it.
func TestEntitled(t *testing.T) {
	for name, test := range map[string]struct {
		candidate credential.Candidate
		want      bool
	}{
		"cluster":                 {candidate(clusterScope), true},
		"department":              {candidate(researchScope), true},
		"made together":           {candidate(clusterScope, madeTogether), true},
		"of no use":               {candidate(clusterScope, func(c *credential.Candidate) { c.Secret.Data = nil }), true},
		"somebody else has it":    {candidate(clusterScope, func(c *credential.Candidate) { c.Owner = &v1alpha1.Credential{} }), true},
		"another department's":    {candidate(researchScope, labelled("run.ai/department", "sales")), false},
		"the cluster's is wanted": {candidate(clusterScope, unlabelled("run.ai/cluster-wide"), labelled("run.ai/department", "research")), false},
		"another type":            {candidate(clusterScope, labelled("run.ai/resource", "password")), false},
		"a project's, misplaced":  {candidate(projectScope, in("credence-credentials", nil), labelled("run.ai/cluster-wide", "true")), false},
		"made for another":        {candidate(clusterScope, labelled("credence.dev/source-of", "other")), false},
		"never a source":          {candidate(clusterScope, secretOfType(corev1.SecretTypeServiceAccountToken)), false},
		"no source":               {candidate(clusterScope, withoutSecret), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := credential.Entitled(test.candidate); got != test.want {
				t.Errorf("it is %t", got)
			}
		})
	}
}
