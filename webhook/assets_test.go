// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func scoped(department string) v1alpha1.AssetHead {
	if department == "" {
		return v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}}
	}
	return v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}}
}

func inSystem(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: systemNamespace, Name: name}
}

// assetsOfResearch are a template of a department, an environment that it names, and
// a credential of the cluster that this names.
func assetsOfResearch() []client.Object {
	return []client.Object{
		&v1alpha1.WorkloadTemplate{
			ObjectMeta: inSystem("base"), Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: scoped("research"), Environment: "python"},
		},
		&v1alpha1.Environment{
			ObjectMeta: inSystem("python"), Spec: v1alpha1.EnvironmentSpec{AssetHead: scoped(""), Credentials: []v1alpha1.AssetName{"openai"}},
		},
		generic(systemNamespace, "openai", ""),
	}
}

// Failure mode 26, for assets: each name is read live where it is looked up from.
func TestJustCreatedAssets(t *testing.T) {
	system, team := namespace(systemNamespace, nil), project("team-a", "research")
	pod := podWith(map[string]string{v1alpha1.AnnotationTemplate: "base"})
	for name, test := range map[string]struct {
		known, exist []client.Object
		reads        []string
	}{
		"all of them": {
			known: []client.Object{system, team}, exist: assetsOfResearch(),
			reads: []string{
				"WorkloadTemplate team-a/base", "WorkloadTemplate credence-credentials/base",
				"Environment credence-credentials/python", "Credential credence-credentials/openai",
				"Credential team-a/openai", "Credential credence-credentials/openai", // whether a narrower one hides it
			},
		},
		"the project as well": {
			known: []client.Object{system}, exist: append(assetsOfResearch(), team),
			reads: []string{
				"Namespace /team-a", "WorkloadTemplate team-a/base", "WorkloadTemplate credence-credentials/base",
				"Environment credence-credentials/python", "Credential credence-credentials/openai",
				"Credential team-a/openai", "Credential credence-credentials/openai",
			},
		},
		"none of them": {known: append(assetsOfResearch(), system, team)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(test.known...)
			f.cluster.create(test.exist...)
			answer := f.admit("team-a", pod)
			if answer.response == nil || !answer.response.Allowed || !strings.Contains(string(answer.response.Patch), "envFrom") {
				t.Fatalf("the pod was not injected: %d %s", answer.code, answer.body)
			}
			if diff := cmp.Diff(test.reads, f.cluster.asked()); diff != "" {
				t.Errorf("live reads (-want +got):\n%s", diff)
			}
		})
	}
}

// The asset of a project that no informer has seen is looked into from that project.
func TestJustCreatedProjectWithAssets(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil))
	f.cluster.create(project("team-a", ""), generic("team-a", "openai", ""), &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "python"},
		Spec: v1alpha1.EnvironmentSpec{
			AssetHead: v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}, Credentials: []v1alpha1.AssetName{"openai"},
		},
	})
	answer := f.admit("team-a", podWith(map[string]string{v1alpha1.AnnotationEnvironment: "python"}))
	if answer.response == nil || !answer.response.Allowed || len(answer.response.Patch) == 0 {
		t.Fatalf("the pod was not injected: %d %s", answer.code, answer.body)
	}
}

// While the API server does not answer, pods are told to try again, and not what is
// named inside an asset.
func TestAssetsUnreadable(t *testing.T) {
	for name, test := range map[string]struct {
		known []client.Object
		want  string
	}{
		"an asset":      {want: `template "base" could not be looked up just now, try again`},
		"inside of one": {known: assetsOfResearch()[:1], want: "something that an asset names (environment) could not be looked up just now, try again"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(append(test.known, namespace(systemNamespace, nil), project("team-a", "research"))...)
			f.cluster.before = func(context.Context, string) error { return errors.New("no answer") }
			answer := f.admit("team-a", podWith(map[string]string{v1alpha1.AnnotationTemplate: "base"}))
			if answer.response == nil || answer.response.Allowed || answer.response.Result.Code != http.StatusServiceUnavailable {
				t.Fatalf("answer: %d %s", answer.code, answer.body)
			}
			if diff := cmp.Diff("annotation credence.dev/template: "+test.want, answer.message()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The API server drops an audit annotation whose key, with the webhook's name before
// it, is no qualified name.
func TestAuditOfAssets(t *testing.T) {
	f := newFixture(t)
	f.know(append(assetsOfResearch(), namespace(systemNamespace, nil), project("team-a", "research"),
		&v1alpha1.DataSource{ObjectMeta: inSystem("docs"), Spec: v1alpha1.DataSourceSpec{
			AssetHead: scoped(""), Git: &v1alpha1.GitSource{Repository: "https://git.example.com/docs.git", Path: "/docs"},
		}},
		&v1alpha1.DataSource{ObjectMeta: inSystem("files"), Spec: v1alpha1.DataSourceSpec{
			AssetHead: scoped(""), S3: &v1alpha1.S3Source{Bucket: "files", Path: "/files"},
		}},
	)...)
	answer := f.admit("team-a", podWith(map[string]string{v1alpha1.AnnotationTemplate: "base", v1alpha1.AnnotationDataSources: "files, docs"}))
	if answer.response == nil || !answer.response.Allowed {
		t.Fatalf("answer: %d %s", answer.code, answer.body)
	}
	want := map[string]string{
		"openai":           "envFrom",
		"DataSource":       "docs: fetch, mount /docs; files: fetch, mount /files",
		"Environment":      "python: envFrom",
		"WorkloadTemplate": "base: environment/python",
	}
	if diff := cmp.Diff(want, answer.response.AuditAnnotations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key := range answer.response.AuditAnnotations {
		if problems := validation.IsQualifiedName("inject.credence.dev/" + key); len(problems) > 0 {
			t.Errorf("%s: %v", key, problems)
		}
	}
}

// A pod with the placeholder for an image is refused also where it asks for nothing.
func TestPlaceholderWithoutAnnotations(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), project("team-a", ""))
	pod := strings.ReplaceAll(podWith(nil), "registry.example.com/web:1", v1alpha1.EnvironmentPlaceholder)
	for _, path := range []string{"/pods/inject", "/pods/pull-secrets"} {
		answer := f.admitAt(path, "team-a", pod)
		want := `container "web" has the placeholder credence.invalid/environment for an image, and no environment is named; name one in the annotation credence.dev/environment`
		if answer.response == nil || answer.response.Allowed || answer.message() != want {
			t.Errorf("%s: %d %s", path, answer.code, answer.body)
		}
	}
}
