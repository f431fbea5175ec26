// SPDX-License-Identifier: Apache-2.0

package asset

import (
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// GitNeeds returns the type of credential that an address of a repository takes.
func GitNeeds(repository string) v1alpha1.CredentialType {
	if strings.HasPrefix(repository, "https://") {
		return v1alpha1.Password
	}
	return v1alpha1.SSHKey
}

func ofSource(spec *v1alpha1.DataSourceSpec) []Reference {
	var reference Reference
	switch {
	case spec.Git != nil:
		reference = Reference{Name: string(spec.Git.Credential), Type: GitNeeds(spec.Git.Repository), Field: "spec.git.credential"}
		if reference.Type == v1alpha1.SSHKey && !spec.Git.SkipHostKeyCheck {
			reference.Keys = []string{"knownHosts"}
		}
	case spec.S3 != nil:
		reference = Reference{Name: string(spec.S3.Credential), Type: v1alpha1.AccessKey, Field: "spec.s3.credential"}
	case spec.Secret != nil:
		reference = ofMount("spec.secret", spec.Secret)
	}
	if reference.Name == "" {
		return nil
	}
	reference.Kind = Credential
	return []Reference{reference}
}
