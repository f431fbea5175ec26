// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestHostileAssets: no field of an asset becomes an option or a command of what reads
// it, a path that hides something, or another protocol.
func TestHostileAssets(t *testing.T) {
	head := v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}
	data := func(spec v1alpha1.DataSourceSpec) client.Object {
		spec.AssetHead = head
		return &v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "hostile"}, Spec: spec}
	}
	git := func(change func(*v1alpha1.GitSource)) client.Object {
		source := &v1alpha1.GitSource{Repository: "https://git.example.com/a", Path: "/code"}
		change(source)
		return data(v1alpha1.DataSourceSpec{Git: source})
	}
	repository := func(url string) client.Object {
		return git(func(g *v1alpha1.GitSource) { g.Repository, g.SkipHostKeyCheck = url, true })
	}
	s3 := func(change func(*v1alpha1.S3Source)) client.Object {
		source := &v1alpha1.S3Source{Bucket: "images", Path: "/data"}
		change(source)
		return data(v1alpha1.DataSourceSpec{S3: source})
	}
	files := func(path v1alpha1.MountPath, file string) client.Object {
		return data(v1alpha1.DataSourceSpec{Secret: &v1alpha1.CredentialMount{Credential: "openai", MountPath: path, Keys: []v1alpha1.KeyFile{{Key: "api-key", File: file}}}})
	}
	environment := func(spec v1alpha1.EnvironmentSpec) client.Object {
		spec.AssetHead = head
		return &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "hostile"}, Spec: spec}
	}
	value := "x"
	tenant := as(t, tenant)
	for name, object := range map[string]client.Object{
		"a command":                   repository("ext::sh -c id"),
		"a file":                      repository("file:///etc/passwd"),
		"a path":                      repository("/etc"),
		"an option":                   repository("--upload-pack=id"),
		"an option of ssh":            repository("ssh://-oProxyCommand=id/a"),
		"an option of ssh, as a host": repository("git@-oProxyCommand=id:a"),
		"no encryption":               repository("http://git.example.com/a"),
		"git's own":                   repository("git://git.example.com/a"),
		"two lines":                   repository("https://git.example.com/a\nb"),
		"a password":                  repository("https://user:word@git.example.com/a"),
		"a branch that is an option":  git(func(g *v1alpha1.GitSource) { g.Branch = "--upload-pack=id" }),
		"a tag that is an option":     git(func(g *v1alpha1.GitSource) { g.Revision = "-x" }),
		"over the account's token":    git(func(g *v1alpha1.GitSource) { g.Path = "/var/run/secrets/kubernetes.io/serviceaccount" }),
		"up":                          git(func(g *v1alpha1.GitSource) { g.Path = "/code/../etc" }),
		"a prefix that is an option":  s3(func(s *v1alpha1.S3Source) { s.Prefix = "--config=/etc/passwd" }),
		"a prefix that goes up":       s3(func(s *v1alpha1.S3Source) { s.Prefix = "a/../../other" }),
		"another remote":              s3(func(s *v1alpha1.S3Source) { s.Bucket = ":local,nounc=true:/etc" }),
		"an endpoint with a user":     s3(func(s *v1alpha1.S3Source) { s.Endpoint = "https://user:word@s3.example.com" }),
		"an endpoint that is a file":  s3(func(s *v1alpha1.S3Source) { s.Endpoint = "file:///etc" }),
		"a region with options":       s3(func(s *v1alpha1.S3Source) { s.Region = "a,endpoint=evil.example.com" }),
		"a mount over the kernel's":   files("/proc/self", "a"),
		"a file up":                   files("/keys", "../../etc/passwd"),
		"a file from the root":        files("/keys", "/etc/passwd"),
		"the placeholder as an image": environment(v1alpha1.EnvironmentSpec{Image: "credence.invalid/environment"}),
		"an image and more":           environment(v1alpha1.EnvironmentSpec{Image: "example.com/a:1 --privileged"}),
		"a variable with a value":     environment(v1alpha1.EnvironmentSpec{Env: []v1alpha1.AssetEnv{{Name: "A=B", Value: &value}}}),
		"a credential elsewhere":      environment(v1alpha1.EnvironmentSpec{Credentials: []v1alpha1.AssetName{"../openai"}}),
		"a key elsewhere":             environment(v1alpha1.EnvironmentSpec{Env: []v1alpha1.AssetEnv{{Name: "A", Credential: &v1alpha1.KeyReference{Name: "openai", Key: "../a"}}}}),
	} {
		if err := tenant.Create(t.Context(), object, client.DryRunAll); !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := tenant.Create(t.Context(), repository("https://git.example.com/a"), client.DryRunAll); err != nil {
		t.Errorf("one that is right: %v", err)
	}
}

// rules are what the webhook configurations of a cluster ask about.
func rules(ctx context.Context) (all []admissionregistrationv1.Rule, err error) {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	if err := cluster.Client().List(ctx, mutating); err != nil {
		return nil, err
	}
	if err := cluster.Client().List(ctx, validating); err != nil {
		return nil, err
	}
	add := func(list []admissionregistrationv1.RuleWithOperations) {
		for _, one := range list {
			all = append(all, one.Rule)
		}
	}
	for _, configuration := range mutating.Items {
		for _, webhook := range configuration.Webhooks {
			add(webhook.Rules)
		}
	}
	for _, configuration := range validating.Items {
		for _, webhook := range configuration.Webhooks {
			add(webhook.Rules)
		}
	}
	return all, nil
}

// TestSecretsReachNoWebhook (57): no webhook of Credence is asked about Secrets, whose
// values a review would carry, nor about anything else that runs no pods. Who may tell of
// workload kinds cannot change that.
func TestSecretsReachNoWebhook(t *testing.T) {
	keeper := as(t, keeper)
	for name, spec := range map[string]v1alpha1.WorkloadKindSpec{
		"secrets":       {APIVersion: "v1", Kind: "Secret", PodTemplatePaths: []string{".data"}},
		"every-kind":    {APIVersion: "*/v1", Kind: "Secret", PodTemplatePaths: []string{".data"}},
		"a-subresource": {APIVersion: "example.com/v1", Kind: "Pod/exec", PodTemplatePaths: []string{".spec"}},
		"a-path-up":     {APIVersion: "example.com/v1", Kind: "App", PodTemplatePaths: []string{"../metadata"}},
	} {
		told := &v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
		if err := keeper.Create(t.Context(), told); !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// These are kinds that there are.
	for name, spec := range map[string]v1alpha1.WorkloadKindSpec{
		"roles":       {APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding", PodTemplatePaths: []string{".roleRef"}},
		"leases":      {APIVersion: "coordination.k8s.io/v1", Kind: "Lease", PodTemplatePaths: []string{".spec"}},
		"credentials": {APIVersion: "credence.dev/v1alpha1", Kind: "Credential", PodTemplatePaths: []string{".spec"}},
		"metadata":    {APIVersion: "credence.dev/v1alpha1", Kind: "WorkloadTemplate", PodTemplatePaths: []string{".metadata"}},
		"kinds":       {APIVersion: "credence.dev/v1alpha1", Kind: "WorkloadKind", PodTemplatePaths: []string{".spec"}},
	} {
		told := &v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
		if err := keeper.Create(t.Context(), told); err != nil {
			t.Fatal(err)
		}
		poll(t, "it is judged", func(ctx context.Context) error {
			if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(told), told); err != nil {
				return err
			}
			ready := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionFalse || !slices.Contains([]string{v1alpha1.ReasonPathInvalid, v1alpha1.ReasonNoSuchKind}, ready.Reason) {
				return fmt.Errorf("it is %+v", ready)
			}
			return nil
		})
	}
	asked, err := rules(t.Context())
	if err != nil || len(asked) < 10 {
		t.Fatalf("there are %d rules: %v", len(asked), err)
	}
	for _, rule := range asked {
		for _, resource := range rule.Resources {
			core := slices.Contains(rule.APIGroups, "") && !slices.Contains([]string{"pods", "replicationcontrollers"}, resource)
			other := slices.ContainsFunc(rule.APIGroups, func(group string) bool {
				return group == "*" || group == "rbac.authorization.k8s.io" || group == "coordination.k8s.io"
			})
			if core || other || resource == "*" || resource == "workloadkinds" {
				t.Errorf("a webhook is asked about %v", rule)
			}
		}
	}
}
