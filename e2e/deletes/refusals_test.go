// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// How refusals begin: what Kubernetes writes before our words.
const (
	byInUse   = "ValidatingAdmissionPolicy 'credence-deletes-in-use' with binding 'credence-deletes-in-use' denied request: "
	bySources = "ValidatingAdmissionPolicy 'credence-deletes-sources' with binding 'credence-deletes-sources-labelled' denied request: "
	byCopies  = "ValidatingAdmissionPolicy 'credence-copies' with binding 'credence-copies' denied request: "
	byWebhook = `admission webhook "deletes.own.credence.dev" denied the request: `
)

// refused says what is wrong if something is not refused with exactly these words.
func refused(err error, by, words string) error {
	switch {
	case err == nil:
		return errors.New("it is not refused")
	case !apierrors.IsForbidden(err):
		return fmt.Errorf("it fails in another way: %w", err)
	}
	if _, said, ok := strings.Cut(err.Error(), by); !ok || said != words {
		return fmt.Errorf("the words are\n%w\nwant\n%s%s", err, by, words)
	}
	return nil
}

// inUse are objects of each kind that are used, with the words that refuse to delete
// them. The credential has the most users: a workload of each project, a template, an
// environment and a data source.
func inUse(t *testing.T) map[client.Object]string {
	t.Helper()
	head := head()
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "tools"}, Spec: v1alpha1.EnvironmentSpec{AssetHead: head, Credentials: []v1alpha1.AssetName{"openai"}}}
	mount := &v1alpha1.CredentialMount{Credential: "openai", MountPath: "/data"}
	dataSource := &v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "files"}, Spec: v1alpha1.DataSourceSpec{AssetHead: head, Secret: mount}}
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "train"}, Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: head, Environment: "tools"}}
	openai := wide("openai", "key")
	made(t, openai, environment, dataSource, template,
		web(teamA, "web", v1alpha1.AnnotationCredentials, "openai"), web(teamB, "batch", v1alpha1.AnnotationCredentials, "openai"),
		web(teamA, "reads", v1alpha1.AnnotationDataSources, "files"), web(teamA, "trains", v1alpha1.AnnotationTemplate, "train"))
	used(t, openai, 7)
	used(t, environment, 2)
	used(t, dataSource, 1)
	used(t, template, 1)
	return map[client.Object]string{
		openai: `credential "openai" is used by 4 workloads, 1 template, 1 environment and 1 data source: ` +
			`Deployment team-a/reads, Deployment team-a/trains, Deployment team-a/web, Deployment team-b/batch, WorkloadTemplate team-a/train, … ; detach it there first`,
		environment: `environment "tools" is used by 1 workload and 1 template: Deployment team-a/trains, WorkloadTemplate team-a/train; detach it there first`,
		dataSource:  `data source "files" is used by 1 workload: Deployment team-a/reads; detach it there first`,
		template:    `template "train" is used by 1 workload: Deployment team-a/trains; detach it there first`,
	}
}

// eachIsRefused tries to delete objects in every way, and finds them where they were.
func eachIsRefused(t *testing.T, objects map[client.Object]string, by string) {
	jane := jane(t)
	for object, words := range objects {
		of := fmt.Sprintf("%T %s", object, object.GetName())
		for how, options := range map[string][]client.DeleteOption{
			"delete": nil, "dry run": {client.DryRunAll}, "force of kubectl": {client.GracePeriodSeconds(0)},
			"foreground": {client.PropagationPolicy(metav1.DeletePropagationForeground)},
		} {
			if err := refused(jane.Delete(t.Context(), object.DeepCopyObject().(client.Object), options...), by, words); err != nil {
				t.Errorf("%s, %s: %v", of, how, err)
			}
		}
		err := jane.DeleteAllOf(t.Context(), object.DeepCopyObject().(client.Object), client.InNamespace(object.GetNamespace()),
			client.MatchingFields{"metadata.name": object.GetName()})
		if err := refused(err, by, words); err != nil {
			t.Errorf("%s, as a collection: %v", of, err)
		}
		stays(t, object)
	}
}

// usersAreNotTold: who may delete everything in the namespace, but lacks the right that
// the object's scope takes, is refused without the names of those who use it. Two
// policies refuse, and either may be the one that is heard.
func usersAreNotTold(t *testing.T, objects map[client.Object]string) {
	for object := range objects {
		if _, ok := object.(*v1alpha1.Credential); !ok {
			continue
		}
		err := as(t, "joe", deleters).Delete(t.Context(), object.DeepCopyObject().(client.Object))
		if !apierrors.IsForbidden(err) || strings.Contains(err.Error(), "team-") ||
			!strings.HasSuffix(err.Error(), `deleting it needs the right "propagate" on clusters.credence.dev/local`) {
			t.Errorf("he is told: %v", err)
		}
	}
}

// sourceIsRefused tries to delete the source of the credential openai.
func sourceIsRefused(t *testing.T, objects map[client.Object]string) {
	for object, words := range objects {
		if _, ok := object.(*v1alpha1.Credential); !ok {
			continue
		}
		_, users, _ := strings.Cut(words, `credential "openai" is `)
		words = `it holds the values of credential "openai", which is ` + users
		for how, options := range map[string][]client.DeleteOption{"delete": nil, "dry run": {client.DryRunAll}} {
			poll(t, "the source is kept, "+how, func(ctx context.Context) error { // the API server's own watch of credentials may be behind
				return refused(jane(t).Delete(ctx, source(system, "key"), options...), bySources, words)
			})
		}
		stays(t, source(system, "key"))
	}
}
