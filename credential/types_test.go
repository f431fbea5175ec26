// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// TestDefinitions holds the table of types that is promised to users.
func TestDefinitions(t *testing.T) {
	want := []credential.Definition{
		{
			Type:          v1alpha1.DockerRegistry,
			NewSecretType: "kubernetes.io/dockerconfigjson",
			CopyType:      "kubernetes.io/dockerconfigjson",
			SourceLabel:   "docker-registry",
			NamePrefix:    "dockerregistry-",
			Roles:         []credential.Role{{Name: ".dockerconfigjson", Keys: []string{".dockerconfigjson"}}},
			Delivery:      credential.DeliverPullSecret,
			Registries:    true,
		},
		{
			Type:          v1alpha1.AccessKey,
			NewSecretType: "Opaque",
			CopyType:      "Opaque",
			SourceLabel:   "access-key",
			NamePrefix:    "accesskey-",
			Roles: []credential.Role{
				{Name: "accessKeyId", Keys: []string{"AccessKeyId", "accessKeyId", "AWS_ACCESS_KEY_ID", "aws_access_key_id"}},
				{Name: "secretAccessKey", Keys: []string{"SecretKey", "secretAccessKey", "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"}},
			},
			Delivery: credential.DeliverEnv,
			Env: []credential.DefaultVariable{
				{Name: "AWS_ACCESS_KEY_ID", Role: "accessKeyId"},
				{Name: "AWS_SECRET_ACCESS_KEY", Role: "secretAccessKey"},
			},
		},
		{
			Type:          v1alpha1.Password,
			NewSecretType: "kubernetes.io/basic-auth",
			CopyType:      "Opaque",
			SourceLabel:   "password",
			NamePrefix:    "password-",
			Roles: []credential.Role{
				{Name: "username", Keys: []string{"username", "User", "user"}},
				{Name: "password", Keys: []string{"password", "Password"}},
			},
			Delivery: credential.DeliverEnv,
			Env: []credential.DefaultVariable{
				{Name: "_USERNAME", Prefixed: true, Role: "username"},
				{Name: "_PASSWORD", Prefixed: true, Role: "password"},
			},
		},
		{
			Type:          v1alpha1.SSHKey,
			NewSecretType: "kubernetes.io/ssh-auth",
			CopyType:      "Opaque",
			SourceLabel:   "generic",
			NamePrefix:    "sshkey-",
			Roles: []credential.Role{
				{Name: "privateKey", Keys: []string{"ssh-privatekey", "ssh"}},
				{Name: "knownHosts", Keys: []string{"known_hosts"}, Optional: true},
			},
			Delivery: credential.DeliverMount,
		},
		{
			Type:          v1alpha1.Generic,
			NewSecretType: "Opaque",
			CopyType:      "Opaque",
			SourceLabel:   "generic",
			NamePrefix:    "genericsecret-",
			Delivery:      credential.DeliverEnvFrom,
		},
	}
	if diff := cmp.Diff(want, credential.Definitions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDefinitionsAreWhole holds what code elsewhere relies on, for types to come
// as well.
func TestDefinitionsAreWhole(t *testing.T) {
	for _, definition := range credential.Definitions() {
		t.Run(string(definition.Type), func(t *testing.T) {
			if found, ok := credential.DefinitionOf(definition.Type); !ok || found.Type != definition.Type {
				t.Errorf("DefinitionOf finds %v, %v", found, ok)
			}
			wantCopy := corev1.SecretTypeOpaque
			if definition.Registries {
				wantCopy = corev1.SecretTypeDockerConfigJson
			}
			if definition.CopyType != wantCopy {
				t.Errorf("copies have the type %s", definition.CopyType)
			}
			roleOf := map[string]string{}
			for _, role := range definition.Roles {
				if len(role.Keys) == 0 {
					t.Errorf("role %s has no spelling", role.Name)
				}
				for _, key := range role.Keys {
					if other, taken := roleOf[key]; taken {
						t.Errorf("key %s plays both %s and %s", key, other, role.Name)
					}
					roleOf[key] = role.Name
				}
			}
			for _, variable := range definition.Env {
				if _, ok := credential.FindKey(definition.AssumedKeys(), variable.Role); !ok {
					t.Errorf("variable %s reads the unknown role %s", variable.Name, variable.Role)
				}
			}
		})
	}
}

func TestDefinitionOfUnknown(t *testing.T) {
	for _, unknown := range []v1alpha1.CredentialType{"", "token", "Generic"} {
		if definition, ok := credential.DefinitionOf(unknown); ok || definition != nil {
			t.Errorf("type %q has the definition %v", unknown, definition)
		}
	}
}
