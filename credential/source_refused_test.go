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

// TestExamineRefuses holds every reason, and its message to the letter: it is
// what people read, and it must not change from one reconcile to the next.
func TestExamineRefuses(t *testing.T) {
	older := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "credence-credentials", Name: "older"}}
	for name, test := range map[string]struct {
		candidate credential.Candidate
		reason    string
		message   string
	}{
		"type unknown": {
			candidate(clusterScope, madeTogether, func(c *credential.Candidate) { c.Credential.Spec.Type = "canary" }),
			"SourceInvalid", `type "canary" is unknown`,
		},
		"scope unknown": {candidate(v1alpha1.Scope{}), "SourceInvalid", `scope level "" is unknown`},

		"no project": {
			candidate(projectScope, in("x", nil)),
			"NotAProject", "namespace x is not a project, not a department's home and not the system namespace; label it credence.dev/project=<name>, or create the credential elsewhere",
		},
		"no project, by the label that the cluster has": {
			candidate(projectScope, func(c *credential.Candidate) { c.Layout.ProjectLabel = "runai/queue" }, in("team-a", map[string]string{"credence.dev/project": "a"})),
			"NotAProject", "namespace team-a is not a project, not a department's home and not the system namespace; label it runai/queue=<name>, or create the credential elsewhere",
		},
		"no home for a department": {
			candidate(researchScope, in("x", nil)),
			"NotAProject", "namespace x is not a project, not a department's home and not the system namespace; label it credence.dev/department-home=research, or create the credential in the system namespace credence-credentials",
		},
		"no place for the cluster's": {
			candidate(clusterScope, in("x", nil)),
			"NotAProject", "namespace x is not a project, not a department's home and not the system namespace; create the credential in the system namespace credence-credentials",
		},
		"install namespace": {
			candidate(projectScope, in("credence", map[string]string{"credence.dev/project": "a"})),
			"SourceNotAllowed", "namespace credence never holds credentials, nor their sources; create both elsewhere",
		},
		"kube-system": {
			candidate(projectScope, in("kube-system", map[string]string{"credence.dev/project": "a"})),
			"SourceNotAllowed", "namespace kube-system never holds credentials, nor their sources; create both elsewhere",
		},
		"cluster in a project": {
			candidate(clusterScope, in("team-a", map[string]string{"credence.dev/project": "a"})),
			"WrongNamespace", "a credential with cluster scope must be in the system namespace credence-credentials, not in team-a",
		},
		"cluster in a home": {
			candidate(clusterScope, in("research", map[string]string{"credence.dev/department-home": "research"})),
			"WrongNamespace", "a credential with cluster scope must be in the system namespace credence-credentials, not in research",
		},
		"department in its project": {
			candidate(researchScope, in("team-a", map[string]string{"credence.dev/project": "a", "credence.dev/department": "research"})),
			"WrongNamespace", "a credential of department research must be in the system namespace credence-credentials or in the department's home (a namespace labelled credence.dev/department-home=research), not in team-a",
		},
		"department in another's home": {
			candidate(researchScope, in("sales", map[string]string{"credence.dev/department-home": "sales"})),
			"WrongNamespace", "a credential of department research must be in the system namespace credence-credentials or in the department's home (a namespace labelled credence.dev/department-home=research), not in sales",
		},
		"project in the system namespace": {
			candidate(projectScope, in("credence-credentials", nil)),
			"WrongNamespace", "a credential with project scope must be in the project's namespace, and credence-credentials is not a project",
		},

		"missing": {candidate(clusterScope, withoutSecret), "SourceMissing", "Secret credence-credentials/openai-key does not exist; create it there, in the namespace of the Credential: no Secret of another namespace is read"},

		"token of an account": {
			candidate(clusterScope, secretOfType("kubernetes.io/service-account-token")),
			"SourceNotAllowed", "Secret credence-credentials/openai-key has the type kubernetes.io/service-account-token, which is never a source; use another Secret",
		},
		"token of an account, made together": {
			candidate(clusterScope, madeTogether, secretOfType("kubernetes.io/service-account-token")),
			"SourceNotAllowed", "Secret credence-credentials/openai-key has the type kubernetes.io/service-account-token, which is never a source; use another Secret",
		},
		"bootstrap token": {
			candidate(clusterScope, secretOfType("bootstrap.kubernetes.io/token")),
			"SourceNotAllowed", "Secret credence-credentials/openai-key has the type bootstrap.kubernetes.io/token, which is never a source; use another Secret",
		},
		"Helm release": {
			candidate(projectScope, secretOfType("helm.sh/release.v1")),
			"SourceNotAllowed", "Secret team-a/openai-key has the type helm.sh/release.v1, which is never a source; use another Secret",
		},
		"secret in kube-system": {
			candidate(clusterScope, func(c *credential.Candidate) { c.Secret.Namespace = "kube-system" }),
			"SourceNotAllowed", "Secret kube-system/openai-key is in a namespace that never holds sources",
		},
		"secret in the install namespace": {
			candidate(clusterScope, func(c *credential.Candidate) { c.Secret.Namespace = "credence" }),
			"SourceNotAllowed", "Secret credence/openai-key is in a namespace that never holds sources",
		},
		"copy": {
			candidate(projectScope, labelled("credence.dev/copy-of", "hub")),
			"SourceNotAllowed", "Secret team-a/openai-key is itself a copy (label credence.dev/copy-of); use another Secret",
		},

		"no type label": {
			candidate(clusterScope, unlabelled("run.ai/resource")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key has no label run.ai/resource; label it run.ai/resource=generic to authorize it for a credential of type generic",
		},
		"no labels at all": {
			candidate(projectScope, func(c *credential.Candidate) { c.Secret.Labels = nil }),
			"SourceNotAuthorized", "Secret team-a/openai-key has no label run.ai/resource; label it run.ai/resource=generic to authorize it for a credential of type generic",
		},
		"no labels for the cluster": {
			candidate(clusterScope, func(c *credential.Candidate) { c.Secret.Labels = nil }),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key has no label run.ai/resource; label it run.ai/resource=generic and run.ai/cluster-wide=true to authorize it for a credential of type generic",
		},
		"no labels for the department": {
			candidate(researchScope, func(c *credential.Candidate) { c.Secret.Labels = nil }),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key has no label run.ai/resource; label it run.ai/resource=generic and run.ai/department=research to authorize it for a credential of type generic",
		},
		"other type label": {
			candidate(clusterScope, labelled("run.ai/resource", "password")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is labelled run.ai/resource=password; label it run.ai/resource=generic to authorize it for a credential of type generic",
		},
		"ssh-key labelled as one": {
			candidate(clusterScope, ofType(v1alpha1.SSHKey, "ssh-key", corev1.SecretTypeSSHAuth, "ssh-privatekey")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is labelled run.ai/resource=ssh-key; label it run.ai/resource=generic to authorize it for a credential of type ssh-key",
		},
		"made for another": {
			candidate(clusterScope, labelled("credence.dev/source-of", "hub")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is labelled credence.dev/source-of=hub: it was created for another credential",
		},
		"made for nobody": {
			candidate(clusterScope, labelled("credence.dev/source-of", "")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is labelled credence.dev/source-of=: it was created for another credential",
		},
		"two scope labels": {
			candidate(clusterScope, labelled("run.ai/department", "research")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key has both labels run.ai/cluster-wide and run.ai/department; keep the one that is meant",
		},
		"two scope labels in a project": {
			candidate(projectScope, labelled("run.ai/department", "research"), labelled("run.ai/cluster-wide", "false")),
			"SourceNotAuthorized", "Secret team-a/openai-key has both labels run.ai/cluster-wide and run.ai/department; keep the one that is meant",
		},
		"no scope label for the cluster": {
			candidate(clusterScope, unlabelled("run.ai/cluster-wide")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is not authorized for the cluster; label it run.ai/cluster-wide=true",
		},
		"cluster-wide is not true": {
			candidate(clusterScope, labelled("run.ai/cluster-wide", "yes")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is not authorized for the cluster; label it run.ai/cluster-wide=true",
		},
		"department's source for the cluster": {
			candidate(clusterScope, unlabelled("run.ai/cluster-wide"), labelled("run.ai/department", "research")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is not authorized for the cluster; label it run.ai/cluster-wide=true",
		},
		"no scope label for the department": {
			candidate(researchScope, unlabelled("run.ai/department")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is not authorized for department research; label it run.ai/department=research",
		},
		"another department's source": {
			candidate(researchScope, labelled("run.ai/department", "sales")),
			"SourceNotAuthorized", "Secret credence-credentials/openai-key is not authorized for department research; label it run.ai/department=research",
		},

		"in use": {
			candidate(clusterScope, func(c *credential.Candidate) { c.Owner = older }),
			"SourceInUse", "Secret credence-credentials/openai-key already is the source of credential older; one source serves one credential: refer to another Secret, or delete that credential",
		},

		"generic for a registry": {
			candidate(clusterScope, ofType(v1alpha1.DockerRegistry, "docker-registry", corev1.SecretTypeOpaque, ".dockerconfigjson")),
			"SourceInvalid", "Secret credence-credentials/openai-key has the type Opaque, and a credential of type docker-registry needs kubernetes.io/dockerconfigjson; make it again with that type",
		},
		"no type for a registry": {
			candidate(clusterScope, ofType(v1alpha1.DockerRegistry, "docker-registry", "", ".dockerconfigjson")),
			"SourceInvalid", "Secret credence-credentials/openai-key has the type Opaque, and a credential of type docker-registry needs kubernetes.io/dockerconfigjson; make it again with that type",
		},
		"legacy type for a registry": {
			candidate(clusterScope, ofType(v1alpha1.DockerRegistry, "docker-registry", corev1.SecretTypeDockercfg, ".dockercfg")),
			"SourceInvalid", "Secret credence-credentials/openai-key has the legacy type kubernetes.io/dockercfg; make it again as kubernetes.io/dockerconfigjson",
		},
		"legacy type for another": {
			candidate(clusterScope, ofType(v1alpha1.Generic, "generic", corev1.SecretTypeDockercfg, ".dockercfg")),
			"SourceInvalid", "Secret credence-credentials/openai-key has the type kubernetes.io/dockercfg, which only fits a credential of type docker-registry",
		},
		"registry for a password": {
			candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeDockerConfigJson, ".dockerconfigjson")),
			"SourceInvalid", "Secret credence-credentials/openai-key has the type kubernetes.io/dockerconfigjson, which only fits a credential of type docker-registry",
		},

		"no keys": {
			candidate(clusterScope, ofType(v1alpha1.Generic, "generic", corev1.SecretTypeOpaque)),
			"SourceInvalid", "Secret credence-credentials/openai-key has no keys; put the values into it",
		},
		"key missing": {
			candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeOpaque, "password")),
			"SourceInvalid", "Secret credence-credentials/openai-key has no key for username: one of username, User, user",
		},
		"an empty value": {
			candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeOpaque, "User", "password"), without("User")),
			"SourceInvalid", "Secret credence-credentials/openai-key has an empty value for key User; put the username there",
		},
		"an empty value in a manifest": {
			candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeOpaque, "username", "password"),
				func(c *credential.Candidate) { c.Secret.StringData = map[string]string{"password": ""} }),
			"SourceInvalid", "Secret credence-credentials/openai-key has an empty value for key password; put the password there",
		},
		"only an empty value": {
			candidate(clusterScope, without("api-key")),
			"SourceInvalid", "Secret credence-credentials/openai-key has no value: key api-key is empty; put the values there",
		},
		"only empty values": {
			candidate(clusterScope, without("api-key", "b", "c")),
			"SourceInvalid", "Secret credence-credentials/openai-key has no value: key api-key is empty, and so are the 2 others; put the values there",
		},
		"config missing": {
			candidate(clusterScope, ofType(v1alpha1.DockerRegistry, "docker-registry", corev1.SecretTypeDockerConfigJson, "config")),
			"SourceInvalid", "Secret credence-credentials/openai-key has no key .dockerconfigjson",
		},
		"config malformed": {
			candidate(clusterScope, dockerSource(canary)),
			"SourceInvalid", "key .dockerconfigjson of Secret credence-credentials/openai-key is not the JSON of a docker config",
		},
		"config without registries": {
			candidate(clusterScope, dockerSource(`{"auths": {}}`)),
			"SourceInvalid", `key .dockerconfigjson of Secret credence-credentials/openai-key has no registry in "auths" that an image could come from; add one with its login`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem := credential.Examine(test.candidate)
			if problem == nil {
				t.Fatalf("takes it: %+v", got)
			}
			if diff := cmp.Diff([]string{test.reason, test.message}, []string{problem.Reason, problem.Error()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantFacts := credential.Facts{KubernetesName: credential.KubernetesName(test.candidate.Credential)}
			if diff := cmp.Diff(wantFacts, got); diff != "" {
				t.Errorf("facts of what is refused (-want +got):\n%s", diff)
			}
		})
	}
}

// without empties the values of keys.
func without(keys ...string) func(*credential.Candidate) {
	return func(c *credential.Candidate) {
		for _, key := range keys {
			c.Secret.Data[key] = nil
		}
	}
}

// TestEmptyValuesThatMayBe: what the type does not need, and some of those that
// nobody knows the meaning of.
func TestEmptyValuesThatMayBe(t *testing.T) {
	for name, c := range map[string]credential.Candidate{
		"optional role": candidate(clusterScope, ofType(v1alpha1.SSHKey, "generic", corev1.SecretTypeSSHAuth, "ssh-privatekey"), without("known_hosts")),
		"beside roles":  candidate(clusterScope, ofType(v1alpha1.Password, "password", corev1.SecretTypeOpaque, "username", "password"), without("note")),
		"one of two":    candidate(clusterScope, without("flag")),
	} {
		if _, problem := credential.Examine(c); problem != nil {
			t.Errorf("%s: %v", name, problem)
		}
	}
}
