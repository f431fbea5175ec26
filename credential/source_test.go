// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

var (
	clusterScope  = v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
	researchScope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "research"}
	projectScope  = v1alpha1.Scope{Level: v1alpha1.ScopeProject}
)

// candidate makes a generic credential "openai" with the source "openai-key",
// both valid, where its scope belongs.
func candidate(scope v1alpha1.Scope, change ...func(*credential.Candidate)) credential.Candidate {
	layout := credential.DefaultLayout()
	namespace, labels := layout.SystemNamespace, map[string]string(nil)
	if scope.Level == v1alpha1.ScopeProject {
		namespace, labels = "team-a", map[string]string{v1alpha1.LabelProject: "a"}
	}
	c := credential.Candidate{
		Credential: &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "openai"}},
		Home:       layout.Place(namespace, labels),
		Layout:     layout,
		Secret: &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "openai-key", Labels: map[string]string{"run.ai/resource": "generic"}},
			Type:       corev1.SecretTypeOpaque,
			Data:       map[string][]byte{"api-key": []byte(canary)},
		},
	}
	c.Credential.Spec = v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: scope, SecretRef: v1alpha1.SecretReference{Name: "openai-key"}}
	switch scope.Level {
	case v1alpha1.ScopeCluster:
		c.Secret.Labels["run.ai/cluster-wide"] = "true"
	case v1alpha1.ScopeDepartment:
		c.Secret.Labels["run.ai/department"] = scope.Department
	}
	for _, change := range change {
		change(&c)
	}
	return c
}

// ofType makes the credential and its source another type, with these keys.
func ofType(of v1alpha1.CredentialType, label string, secretType corev1.SecretType, keys ...string) func(*credential.Candidate) {
	return func(c *credential.Candidate) {
		c.Credential.Spec.Type = of
		c.Secret.Labels[v1alpha1.LabelSourceType] = label
		c.Secret.Type = secretType
		c.Secret.Data = map[string][]byte{}
		for _, key := range keys {
			c.Secret.Data[key] = []byte(canary)
		}
	}
}

func labelled(key, value string) func(*credential.Candidate) {
	return func(c *credential.Candidate) { c.Secret.Labels[key] = value }
}

func unlabelled(key string) func(*credential.Candidate) {
	return func(c *credential.Candidate) { delete(c.Secret.Labels, key) }
}

func secretOfType(secretType corev1.SecretType) func(*credential.Candidate) {
	return func(c *credential.Candidate) { c.Secret.Type = secretType }
}

// in moves credential and source to a namespace.
func in(namespace string, labels map[string]string) func(*credential.Candidate) {
	return func(c *credential.Candidate) {
		c.Credential.Namespace, c.Secret.Namespace = namespace, namespace
		c.Home = c.Layout.Place(namespace, labels)
	}
}

func dockerSource(config string) func(*credential.Candidate) {
	return func(c *credential.Candidate) {
		ofType(v1alpha1.DockerRegistry, "docker-registry", corev1.SecretTypeDockerConfigJson)(c)
		c.Secret.Data[corev1.DockerConfigJsonKey] = []byte(config)
	}
}

func withoutSecret(c *credential.Candidate) { c.Secret = nil }

func madeTogether(c *credential.Candidate) {
	c.Secret.Labels = map[string]string{v1alpha1.LabelSourceOf: c.Credential.Name}
}

const quayConfig = `{"auths": {"quay.io": {"username": "someone", "password": "` + canary + `"}, "https://index.docker.io/v1/": {}}}`

func TestExamineAccepts(t *testing.T) {
	keys := func(keysAndRoles ...string) []v1alpha1.SecretKey {
		var list []v1alpha1.SecretKey
		for i := 0; i < len(keysAndRoles); i += 2 {
			list = append(list, v1alpha1.SecretKey{Key: keysAndRoles[i], Role: keysAndRoles[i+1]})
		}
		return list
	}
	apiKey := keys("api-key", "")
	for name, test := range map[string]struct {
		candidate credential.Candidate
		want      credential.Facts
	}{
		"cluster":                       {candidate(clusterScope), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"department":                    {candidate(researchScope), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"project":                       {candidate(projectScope), credential.Facts{KubernetesName: "openai-key", Keys: apiKey}},
		"department in its home":        {candidate(researchScope, in("research", map[string]string{v1alpha1.LabelDepartmentHome: "research"})), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"department, source wider":      {candidate(researchScope, unlabelled("run.ai/department"), labelled("run.ai/cluster-wide", "true")), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"project, source for cluster":   {candidate(projectScope, labelled("run.ai/cluster-wide", "true")), credential.Facts{KubernetesName: "openai-key", Keys: apiKey}},
		"project, source of department": {candidate(projectScope, labelled("run.ai/department", "sales")), credential.Facts{KubernetesName: "openai-key", Keys: apiKey}},
		"made together, no other label": {candidate(clusterScope, madeTogether), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"no type is Opaque":             {candidate(clusterScope, secretOfType("")), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"type of someone's own":         {candidate(clusterScope, secretOfType("example.com/own")), credential.Facts{KubernetesName: "genericsecret-openai", Keys: apiKey}},
		"tls as generic": {
			candidate(clusterScope, ofType(v1alpha1.Generic, "generic", corev1.SecretTypeTLS, "tls.key", "tls.crt")),
			credential.Facts{KubernetesName: "genericsecret-openai", Keys: keys("tls.crt", "", "tls.key", "")},
		},
		"ssh-key is labelled generic": {
			candidate(clusterScope, ofType(v1alpha1.SSHKey, "generic", corev1.SecretTypeOpaque, "ssh")),
			credential.Facts{KubernetesName: "sshkey-openai", Keys: keys("ssh", "privateKey")},
		},
		"ssh-key of its own type": {
			candidate(projectScope, ofType(v1alpha1.SSHKey, "generic", corev1.SecretTypeSSHAuth, "ssh-privatekey", "known_hosts")),
			credential.Facts{KubernetesName: "openai-key", Keys: keys("known_hosts", "knownHosts", "ssh-privatekey", "privateKey")},
		},
		"password": {
			candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeBasicAuth, "username", "password")),
			credential.Facts{KubernetesName: "password-openai", Keys: keys("password", "password", "username", "username")},
		},
		"access-key": {
			candidate(clusterScope, ofType(v1alpha1.AccessKey, "access-key", corev1.SecretTypeOpaque, "AccessKeyId", "SecretKey")),
			credential.Facts{KubernetesName: "accesskey-openai", Keys: keys("AccessKeyId", "accessKeyId", "SecretKey", "secretAccessKey")},
		},
		"docker-registry": {
			candidate(clusterScope, dockerSource(quayConfig)),
			credential.Facts{
				KubernetesName: "dockerregistry-openai", Keys: keys(".dockerconfigjson", ".dockerconfigjson"),
				Registries: []string{"quay.io", "index.docker.io"},
			},
		},
		"stringData of a manifest": {
			candidate(clusterScope, func(c *credential.Candidate) {
				c.Secret.Data = map[string][]byte{"a": nil, "b": nil}
				c.Secret.StringData = map[string]string{"b": canary, "c": canary}
			}),
			credential.Facts{KubernetesName: "genericsecret-openai", Keys: keys("a", "", "b", "", "c", "")},
		},
		"stringData wins": {
			candidate(clusterScope, dockerSource("{}"), func(c *credential.Candidate) {
				c.Secret.StringData = map[string]string{corev1.DockerConfigJsonKey: quayConfig}
			}),
			credential.Facts{
				KubernetesName: "dockerregistry-openai", Keys: keys(".dockerconfigjson", ".dockerconfigjson"),
				Registries: []string{"quay.io", "index.docker.io"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem := credential.Examine(test.candidate)
			if problem != nil {
				t.Fatalf("%s: %s", problem.Reason, problem)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestExamineOrder breaks everything, and mends what is found until nothing is
// left: what an administrator goes through.
func TestExamineOrder(t *testing.T) {
	secret := candidate(clusterScope).Secret
	c := candidate(clusterScope)
	c.Credential.Spec.Type = "docker-registri"
	c.Credential.Namespace, c.Home = "x", c.Layout.Place("x", nil)
	c.Secret = nil
	c.Owner = &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Name: "older"}}
	secret.Labels = nil
	secret.Type = corev1.SecretTypeServiceAccountToken
	secret.Data = nil
	for _, step := range []struct {
		reason string
		mend   func()
	}{
		{"SourceInvalid", func() { c.Credential.Spec.Type = v1alpha1.DockerRegistry }},
		{"NotAProject", func() { c.Home = c.Layout.Place("x", map[string]string{v1alpha1.LabelProject: "x"}) }},
		{"WrongNamespace", func() {
			c.Credential.Namespace, c.Home = secret.Namespace, c.Layout.Place(secret.Namespace, nil)
		}},
		{"SourceMissing", func() { c.Secret = secret }},
		{"SourceNotAllowed", func() { secret.Type = corev1.SecretTypeDockercfg }},
		{"SourceNotAuthorized", func() { secret.Labels = map[string]string{v1alpha1.LabelSourceType: "docker-registry"} }},
		{"SourceNotAuthorized", func() { secret.Labels[v1alpha1.LabelSourceClusterWide] = "true" }},
		{"SourceInUse", func() { c.Owner = nil }},
		{"SourceInvalid", func() { secret.Type = corev1.SecretTypeDockerConfigJson }},
		{"SourceInvalid", func() { secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")} }},
		{"SourceInvalid", func() { secret.Data[corev1.DockerConfigJsonKey] = []byte(quayConfig) }},
	} {
		_, problem := credential.Examine(c)
		if problem == nil || problem.Reason != step.reason {
			t.Fatalf("found %+v, want %s", problem, step.reason)
		}
		step.mend()
	}
	if _, problem := credential.Examine(c); problem != nil {
		t.Errorf("mended, and still %s: %s", problem.Reason, problem)
	}
}

func TestWithdraws(t *testing.T) {
	for reason, want := range map[string]bool{
		v1alpha1.ReasonSourceNotAuthorized: true,
		v1alpha1.ReasonSourceNotAllowed:    true,
		v1alpha1.ReasonSourceMissing:       false,
		v1alpha1.ReasonSourceInvalid:       false,
		v1alpha1.ReasonSourceInUse:         false,
		v1alpha1.ReasonNotAProject:         false,
		v1alpha1.ReasonWrongNamespace:      false,
	} {
		if got := (&credential.Problem{Reason: reason}).Withdraws(); got != want {
			t.Errorf("%s withdraws copies: %v", reason, got)
		}
	}
}
