// SPDX-License-Identifier: Apache-2.0

package deletes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/webhook/deletes"
)

// users are those of one object. Nothing is known of others.
type users struct {
	kind asset.Kind
	key  types.NamespacedName
	used v1alpha1.UsedBy
}

func (u users) UsersOf(kind asset.Kind, key types.NamespacedName) (v1alpha1.UsedBy, bool) {
	return u.used, kind == u.kind && key == u.key
}

// namespaces are those that are being deleted, and others.
type namespaces map[string]bool

func (n namespaces) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	leaving, ok := n[key.Name]
	if !ok {
		return errors.New("not found")
	}
	if leaving {
		now := metav1.Now()
		into.SetDeletionTimestamp(&now)
	}
	return nil
}

func (namespaces) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nobody lists namespaces to decide about a delete")
}

// answer is what a test looks at of a response.
type answer struct {
	Refusal, Warning string
}

const refusal = `credential "openai" is used by 3 workloads and 1 template: ` +
	`Deployment team-a/web, CronJob team-b/nightly, … ; detach it there first`

func TestDecide(t *testing.T) {
	two := []string{"Deployment team-a/web", "CronJob team-b/nightly"}
	many := []string{"Job a/1", "Job a/2", "Job a/3", "Job a/4", "Job a/5", "Job a/6", "PodTemplate a/p"}
	for name, test := range map[string]struct {
		resource, user, old, namespace, operation string // the defaults are credentials, jane, {}, team-a and DELETE
		used                                      v1alpha1.UsedBy
		want                                      answer
	}{
		"used":       {used: v1alpha1.UsedBy{Total: 4, Workloads: 3, Templates: 1, Names: two}, want: answer{Refusal: refusal}},
		"not used":   {},
		"once":       {used: v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: two[:1]}, want: answer{Refusal: `credential "openai" is used by 1 workload: Deployment team-a/web; detach it there first`}},
		"many names": {used: v1alpha1.UsedBy{Total: 7, Workloads: 6, Templates: 1, Names: many}, want: answer{Refusal: `credential "openai" is used by 6 workloads and 1 template: Job a/1, Job a/2, Job a/3, Job a/4, Job a/5, … ; detach it there first`}},
		"all kinds of users": {
			used: v1alpha1.UsedBy{Total: 7, Workloads: 1, Templates: 2, Environments: 1, DataSources: 3, Names: []string{"Pod a/b"}},
			want: answer{Refusal: `credential "openai" is used by 1 workload, 2 templates, 1 environment and 3 data sources: Pod a/b, … ; detach it there first`},
		},
		"an environment":           {resource: "environments", used: v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: two[:1]}, want: answer{Refusal: `environment "openai" is used by 1 workload: Deployment team-a/web; detach it there first`}},
		"a data source":            {resource: "datasources", used: v1alpha1.UsedBy{Total: 1, Templates: 1, Names: []string{"WorkloadTemplate a/t"}}, want: answer{Refusal: `data source "openai" is used by 1 template: WorkloadTemplate a/t; detach it there first`}},
		"a template":               {resource: "workloadtemplates", used: v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: two[:1]}, want: answer{Refusal: `template "openai" is used by 1 workload: Deployment team-a/web; detach it there first`}},
		"automatically, by one":    {used: v1alpha1.UsedBy{Automatic: 1}, want: answer{Warning: `credential "openai" is the automatic pull secret of 1 workload; new pods there pull their images without it`}},
		"automatically":            {used: v1alpha1.UsedBy{Automatic: 12}, want: answer{Warning: `credential "openai" is the automatic pull secret of 12 workloads; new pods there pull their images without it`}},
		"what the policy tells of": {used: v1alpha1.UsedBy{Automatic: 12}, old: `{"status": {"usedBy": {"total": 0, "automatic": 12}}}`},
		"what the policy cannot tell": {
			used: v1alpha1.UsedBy{Automatic: 12}, old: `{"status": {"usedBy": {"total": 0, "automatic": 2}}}`,
			want: answer{Warning: `credential "openai" is the automatic pull secret of 12 workloads; new pods there pull their images without it`},
		},
		"very many": {used: v1alpha1.UsedBy{Automatic: usage.MaxCounted}, old: `{"status": {"usedBy": {"automatic": 2000}}}`},
		"more than are counted": {
			used: v1alpha1.UsedBy{Total: usage.MaxCounted, Workloads: usage.MaxCounted, Names: two},
			want: answer{Refusal: `credential "openai" is used by 1000 or more workloads: Deployment team-a/web, CronJob team-b/nightly, … ; detach it there first`},
		},
		"force":                      {used: v1alpha1.UsedBy{Total: 1}, old: `{"metadata": {"annotations": {"credence.dev/force-delete": "true"}}}`},
		"force, and keep the copies": {used: v1alpha1.UsedBy{Total: 1}, old: `{"metadata": {"annotations": {"credence.dev/force-delete": "keep"}}}`},
		"force that means nothing": {
			used: v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: two[:1]}, old: `{"metadata": {"annotations": {"credence.dev/force-delete": "no"}}}`,
			want: answer{Refusal: `credential "openai" is used by 1 workload: Deployment team-a/web; detach it there first`},
		},
		"being deleted":            {used: v1alpha1.UsedBy{Total: 1}, old: `{"metadata": {"deletionTimestamp": "2026-06-30T00:00:00Z", "annotations": null}}`},
		"a namespace that goes":    {used: v1alpha1.UsedBy{Total: 1}, namespace: "leaving"},
		"a namespace that is new":  {used: v1alpha1.UsedBy{Total: 4, Workloads: 3, Templates: 1, Names: two}, namespace: "new", want: answer{Refusal: refusal}},
		"the garbage collector":    {used: v1alpha1.UsedBy{Total: 1}, user: "system:serviceaccount:kube-system:generic-garbage-collector"},
		"the namespace controller": {used: v1alpha1.UsedBy{Total: 1}, user: "system:serviceaccount:kube-system:namespace-controller"},
		"all controllers in one":   {used: v1alpha1.UsedBy{Total: 1}, user: "system:kube-controller-manager"},
		"a namesake of theirs":     {used: v1alpha1.UsedBy{Total: 4, Workloads: 3, Templates: 1, Names: two}, user: "system:serviceaccount:team-a:namespace-controller", want: answer{Refusal: refusal}},
		"another resource":         {resource: "secrets", used: v1alpha1.UsedBy{Total: 1}, want: answer{Warning: `credence is asked about DELETE of "secrets.credence.dev", which is not for this entry; correct the webhook configuration`}},
		"another operation":        {operation: "UPDATE", used: v1alpha1.UsedBy{Total: 1}, want: answer{Warning: `credence is asked about UPDATE of "credentials.credence.dev", which is not for this entry; correct the webhook configuration`}},
	} {
		t.Run(name, func(t *testing.T) {
			test.resource, test.user, test.old = or(test.resource, "credentials"), or(test.user, "jane"), or(test.old, `{}`)
			test.namespace, test.operation = or(test.namespace, "team-a"), or(test.operation, "DELETE")
			kinds := map[string]asset.Kind{"credentials": asset.Credential, "environments": asset.Environment, "datasources": asset.DataSource, "workloadtemplates": asset.WorkloadTemplate}
			handler := handlerOf(t, users{kinds[test.resource], types.NamespacedName{Namespace: test.namespace, Name: "openai"}, test.used})
			got := ask(t, handler, fmt.Sprintf(`{"uid": "u", "operation": %q, "name": "openai", "namespace": %q, "userInfo": {"username": %q},
				"resource": {"group": "credence.dev", "version": "v1alpha1", "resource": %q}, "object": null, "oldObject": %s}`,
				test.operation, test.namespace, test.user, test.resource, test.old))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// What is not known is not decided: the policy goes by the status.
func TestDecideWithoutKnowing(t *testing.T) {
	got := ask(t, handlerOf(t, users{}), `{"uid": "u", "operation": "DELETE", "name": "openai", "namespace": "team-a",
		"resource": {"group": "credence.dev", "resource": "credentials"}, "oldObject": {}}`)
	want := answer{Warning: `who uses the credential "openai" is not known yet, so it goes by what its status says`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// What is no review, or none that can be read, gets no answer, which admits: the
// entry fails open. What was sent is not repeated.
func TestMalformed(t *testing.T) {
	for name, review := range map[string]string{
		"no review":      `{}`,
		"no object":      `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "oldObject": "not-a-secret"}}`,
		"another object": `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "oldObject": {"status": {"usedBy": "not-a-secret"}}}}`,
	} {
		w := post(handlerOf(t, users{}), review)
		if w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "not-a-secret") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// A process may have several entries in two places, as in "credence all".
func TestHandlersOfOneProcess(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 2 {
		if _, err := deletes.Handler(deletes.Options{Users: users{}, Namespaces: namespaces{}, Registry: registry}); err != nil {
			t.Error(err)
		}
	}
}

func or(given, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return given
}

func handlerOf(t *testing.T, users deletes.Users) http.Handler {
	t.Helper()
	log := funcr.New(func(_, line string) { t.Log(line) }, funcr.Options{})
	handler, err := deletes.Handler(deletes.Options{
		Users: users, Namespaces: namespaces{"team-a": false, "leaving": true}, Log: log, Registry: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func post(handler http.Handler, review string) *httptest.ResponseRecorder {
	request, w := httptest.NewRequest(http.MethodPost, deletes.Path, strings.NewReader(review)), httptest.NewRecorder()
	request.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(w, request)
	return w
}

func ask(t *testing.T, handler http.Handler, request string) answer {
	t.Helper()
	w := post(handler, `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": `+request+`}`)
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(w.Body.Bytes(), review); err != nil || w.Code != http.StatusOK || review.Response.UID != "u" {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	var got answer
	if !review.Response.Allowed {
		got.Refusal = review.Response.Result.Message
		if review.Response.Result.Code != http.StatusForbidden {
			t.Errorf("refused with %d", review.Response.Result.Code)
		}
	}
	got.Warning = strings.Join(review.Response.Warnings, "\n")
	if len(got.Warning) > 200 {
		t.Errorf("a warning of %d bytes", len(got.Warning))
	}
	return got
}
