// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// manifest reads an object of ours: its kind, and the rest as YAML.
func manifest(t *testing.T, kind, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte("spec: "+spec), &object.Object); err != nil {
		t.Fatal(err)
	}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// typedCredential is a project's of a type. Its source need not exist.
func typedCredential(namespace, name string, of v1alpha1.CredentialType) *v1alpha1.Credential {
	c := genericCredential(namespace, name)
	c.Spec.Type = of
	return c
}

// What is wrong in an asset or in a kind of workloads is refused, or told where it may
// become right, in one sentence. Credentials were made a moment before.
func TestBadAssets(t *testing.T) {
	const namespace = "bad-assets"
	project(t, namespace)
	create(t, typedCredential(namespace, "login", v1alpha1.Password), typedCredential(namespace, "deploy", v1alpha1.SSHKey),
		typedCredential(namespace, "bucket", v1alpha1.AccessKey), typedCredential(namespace, "key", v1alpha1.Generic))
	const scope = "{scope: {level: project}, "
	for name, test := range map[string]struct {
		kind, spec, refused string
		warning             string
	}{
		"two sources in one": {"DataSource", scope + "git: {repository: 'https://git.example.com/a', path: /a}, s3: {bucket: b, path: /b}}",
			"spec: Invalid value: a data source is exactly one of git, s3 and secret", ""},
		"no source": {"DataSource", scope + "displayName: x}", "spec: Invalid value: a data source is exactly one of git, s3 and secret", ""},
		"HTTPS with an SSH key": {"DataSource", scope + "git: {repository: 'https://git.example.com/a', path: /a, credential: deploy}}",
			`spec.git.credential: credential "deploy" has type ssh-key; a repository at https:// takes one of type password`, ""},
		"SSH with a password": {"DataSource", scope + "git: {repository: 'git@git.example.com:a', path: /a, credential: login}}",
			`spec.git.credential: credential "login" has type password; a repository that is reached by SSH takes one of type ssh-key`, ""},
		"SSH without host keys": {"DataSource", scope + "git: {repository: 'ssh://git.example.com/a', path: /a}}",
			"spec.git: Invalid value: a repository that is reached by SSH needs a credential with the key known_hosts, or skipHostKeyCheck", ""},
		"S3 with another type": {"DataSource", scope + "s3: {bucket: b, path: /a, credential: key}}",
			`spec.s3.credential: credential "key" has type generic; a bucket takes one of type access-key`, ""},
		"paths that collide": {"WorkloadTemplate", scope + "mounts: [{credential: key, mountPath: /a}, {credential: login, mountPath: /a/b}]}",
			`spec.mounts[1].mountPath: path /a of credential "key" and path /a/b of credential "login" lie in one another`, ""},
		"one path twice": {"WorkloadTemplate", scope + "mounts: [{credential: key, mountPath: /a}, {credential: login, mountPath: /a/}]}",
			`spec.mounts[1].mountPath: path /a is wanted by credential "key" and by credential "login"`, ""},
		"a reserved path": {"DataSource", scope + "secret: {credential: key, mountPath: /proc/x}}",
			"spec.secret.mountPath: Invalid value: the path must not be at or below /proc, /sys, /dev, /var/run/secrets/kubernetes.io or /run/secrets/kubernetes.io, nor above the last two", ""},
		"a circle":                 {"Environment", scope + "environment: it}", `strict decoding error: unknown field "spec.environment"`, ""},
		"a template in a template": {"WorkloadTemplate", scope + "environment: a, template: it}", `strict decoding error: unknown field "spec.template"`, ""},
		"a missing credential": {"Environment", scope + "credentials: [bukcet]}", "",
			`spec.credentials[0]: there is no credential "bukcet" in namespace bad-assets; did you mean "bucket"?`},
		"a missing environment": {"WorkloadTemplate", scope + "environment: torch}", "", `spec.environment: there is no environment "torch" in namespace bad-assets`},
		"a path that is none": {"WorkloadKind", "{apiVersion: example.com/v1, kind: Training, podTemplatePaths: ['$.spec.template']}",
			"spec.podTemplatePaths: Invalid value: a path is made of .field, .* for every value of a map, and [*] for every item of a list", ""},
		"a kind of Kubernetes": {"WorkloadKind", "{apiVersion: apps/v1, kind: Deployment, podTemplatePaths: [.spec.template]}",
			"spec.apiVersion: Invalid value: apiVersion must be <group>/<version>, and the group a domain such as example.com: Kubernetes' own kinds are known", ""},
		"nothing wrong": {"DataSource", scope + "git: {repository: 'https://git.example.com/a', path: /a, credential: gone}}", "",
			`spec.git.credential: there is no credential "gone" in namespace bad-assets`},
	} {
		t.Run(name, func(t *testing.T) {
			jane, in := as(t, "jane"), namespace
			if test.kind == "WorkloadKind" {
				in = ""
			}
			err := jane.Create(t.Context(), manifest(t, test.kind, in, "it", test.spec), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && !endsIn(err, test.refused):
				t.Errorf("the error is %v, want %s", err, test.refused)
			}
			var want []string
			if test.warning != "" {
				want = []string{test.warning}
			}
			if diff := cmp.Diff(want, jane.warnings()); diff != "" && test.refused == "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// endsIn says whether an error ends in a message, but for the value that the API server
// may repeat between field and message.
func endsIn(err error, message string) bool {
	if err == nil {
		return false
	}
	field, rest, ok := strings.Cut(message, ": Invalid value: ")
	if !ok {
		return strings.HasSuffix(err.Error(), message)
	}
	return strings.Contains(err.Error(), " "+field+": Invalid value: ") && strings.HasSuffix(err.Error(), ": "+rest)
}

// Assets have their authors on record, and their names one meaning, like credentials.
func TestAssetsAreStampedAndNamed(t *testing.T) {
	_, member := department(t, "assets")
	for _, kind := range []string{"Environment", "DataSource", "WorkloadTemplate"} {
		spec := map[string]string{
			"Environment": "env: [{name: A, value: x}]", "DataSource": "s3: {bucket: b, path: /b}", "WorkloadTemplate": "env: [{name: A, value: x}]",
		}[kind]
		word := map[string]string{"Environment": "environment", "DataSource": "data source", "WorkloadTemplate": "template"}[kind]
		wide := manifest(t, kind, systemNamespace, "assets-wide", "{scope: {level: cluster}, displayName: For all, "+spec+"}")
		if err := as(t, "jane").Create(t.Context(), wide); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{v1alpha1.AnnotationCreatedBy: "jane", v1alpha1.AnnotationUpdatedBy: "jane"}
		if diff := cmp.Diff(want, wide.GetAnnotations()); diff != "" {
			t.Errorf("%s: stamps (-want +got):\n%s", kind, diff)
		}
		narrow := manifest(t, kind, member, "assets-wide", "{scope: {level: project}, "+spec+"}")
		refused(t, cluster.Client().Create(t.Context(), narrow), `the name "assets-wide" is taken: `+word+` "assets-wide" of the cluster covers the same projects; choose another`)
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"description": "changed"}, "metadata": {"annotations": {"credence.dev/created-by": "joe"}}}`))
		if err := as(t, "joe").Patch(t.Context(), wide, patch); err != nil {
			t.Fatal(err)
		}
		want[v1alpha1.AnnotationUpdatedBy] = "joe"
		if diff := cmp.Diff(want, wide.GetAnnotations()); diff != "" {
			t.Errorf("%s: stamps after a change (-want +got):\n%s", kind, diff)
		}
		// The same name is free for another kind.
		if other := scoped(systemNamespace, "assets-"+strings.ToLower(kind), ""); cluster.Client().Create(t.Context(), other) != nil {
			t.Errorf("a credential cannot be called as a %s", kind)
		}
	}
}

// What was never right in an asset stays changeable in every other way, and an asset
// can go whatever is wrong with it.
func TestFaultyAssetsCanBeChangedAndDeleted(t *testing.T) {
	const namespace = "faulty-assets"
	project(t, namespace)
	data := manifest(t, "DataSource", namespace, "data", "{scope: {level: project}, s3: {bucket: b, path: /b, credential: later}}")
	create(t, data)
	create(t, typedCredential(namespace, "later", v1alpha1.Generic))
	jane := as(t, "jane")
	patch := func(text string) error {
		return jane.Patch(t.Context(), data, client.RawPatch("application/merge-patch+json", []byte(text)))
	}
	if err := patch(`{"spec": {"description": "changed"}}`); err != nil {
		t.Errorf("what was wrong before is refused: %v", err)
	}
	if err := patch(`{"spec": {"s3": {"path": "/c"}}}`); err != nil {
		t.Errorf("what was wrong before is refused: %v", err)
	}
	create(t, typedCredential(namespace, "other", v1alpha1.Password))
	refused(t, patch(`{"spec": {"s3": {"credential": "other"}}}`), `spec.s3.credential: credential "other" has type password; a bucket takes one of type access-key`)
	if err := jane.Delete(t.Context(), data); err != nil {
		t.Errorf("deleting: %v", err)
	}
	if err := cluster.Client().Get(context.WithoutCancel(t.Context()), client.ObjectKeyFromObject(data), data); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}
