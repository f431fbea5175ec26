// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

func TestKubernetesName(t *testing.T) {
	for name, test := range map[string]struct {
		of    v1alpha1.CredentialType
		level v1alpha1.ScopeLevel
		want  string
	}{
		"docker-registry":           {of: v1alpha1.DockerRegistry, level: v1alpha1.ScopeCluster, want: "dockerregistry-openai"},
		"access-key":                {of: v1alpha1.AccessKey, level: v1alpha1.ScopeDepartment, want: "accesskey-openai"},
		"password":                  {of: v1alpha1.Password, level: v1alpha1.ScopeCluster, want: "password-openai"},
		"ssh-key":                   {of: v1alpha1.SSHKey, level: v1alpha1.ScopeDepartment, want: "sshkey-openai"},
		"generic":                   {of: v1alpha1.Generic, level: v1alpha1.ScopeCluster, want: "genericsecret-openai"},
		"project: the source":       {of: v1alpha1.Generic, level: v1alpha1.ScopeProject, want: "openai-key"},
		"unknown type":              {of: "token", level: v1alpha1.ScopeCluster, want: ""},
		"unknown type in a project": {of: "token", level: v1alpha1.ScopeProject, want: "openai-key"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Name: "openai"}}
			c.Spec.Type, c.Spec.Scope.Level, c.Spec.SecretRef.Name = test.of, test.level, "openai-key"
			if got := credential.KubernetesName(c); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestLongestNameIsUsable makes names of the longest credential of every type.
func TestLongestNameIsUsable(t *testing.T) {
	for _, definition := range credential.Definitions() {
		c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a", 52)}}
		c.Spec.Type = definition.Type
		if wrong := validation.IsDNS1123Subdomain(credential.KubernetesName(c)); len(wrong) > 0 {
			t.Errorf("%s: %v", definition.Type, wrong)
		}
	}
	if wrong := validation.IsValidLabelValue(strings.Repeat("a", 52)); len(wrong) > 0 { // of credence.dev/copy-of
		t.Error(wrong)
	}
}

func TestVariablePrefix(t *testing.T) {
	for name, want := range map[string]string{
		"openai": "OPENAI", "open-ai-2": "OPEN_AI_2", "7": "_7", "7-zip": "_7_ZIP", "a--b": "A__B", "": "",
	} {
		t.Run(name, func(t *testing.T) {
			if got := credential.VariablePrefix(name); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestVariable(t *testing.T) {
	for name, test := range map[string]struct {
		of         v1alpha1.CredentialType
		credential string
		want       string
	}{
		"access-key":             {of: v1alpha1.AccessKey, credential: "s3", want: "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
		"password":               {of: v1alpha1.Password, credential: "my-db", want: "MY_DB_USERNAME MY_DB_PASSWORD"},
		"password with a number": {of: v1alpha1.Password, credential: "2nd-db", want: "_2ND_DB_USERNAME _2ND_DB_PASSWORD"},
		"generic":                {of: v1alpha1.Generic, credential: "openai", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, variable := range definition(t, test.of).Env {
				names = append(names, variable.Variable(test.credential))
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
