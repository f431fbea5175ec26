// SPDX-License-Identifier: Apache-2.0

package race

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

var raceFor = flag.Duration("race-for", 10*time.Second, "how long credentials, pods and workloads come and go")

// drain is how long nothing must use a copy, and requestTimeout how long a pod may be
// on its way from its admission until it is stored.
const (
	drain          = 7 * time.Second
	requestTimeout = 5 * time.Second
	// slowest is how long the webhook of somebody else takes.
	slowest = 4 * time.Second
)

// cluster is shared by the tests. Webhook and controller are processes of their own.
var (
	cluster             *local.Cluster
	webhook, controller *local.Process
)

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			options.Apart = true
			options.Plane.APIServerArgs = []string{"--request-timeout=" + requestTimeout.String()}
			return nil
		},
		Started: func(ctx context.Context, started *local.Cluster) error {
			cluster = started
			return startProcesses(ctx)
		},
	}.Main(m))
}

func startProcesses(ctx context.Context) error {
	if err := startController(ctx); err != nil {
		return err
	}
	if err := startWebhook(ctx); err != nil {
		return err
	}
	return cluster.AwaitCredentials(ctx)
}

// startController returns when the controller leads.
func startController(ctx context.Context) (err error) {
	if controller, err = cluster.StartProcess("controller", "--drain="+drain.String()); err != nil {
		return err
	}
	if err := controller.AwaitReady(ctx); err != nil {
		return err
	}
	return local.Poll(ctx, "the controller to lead", func(ctx context.Context) (bool, error) {
		metrics, err := controller.Metrics(ctx)
		return strings.Contains(string(metrics), `leader_election_master_status{name="credence-controller"} 1`), err
	})
}

func startWebhook(ctx context.Context) (err error) {
	if webhook, err = cluster.StartProcess("webhook"); err != nil {
		return err
	}
	return webhook.AwaitReady(ctx)
}

// slowLabel marks the namespaces whose pods somebody else's webhook is asked about.
const slowLabel = "race.example.com/slow"

// slowAdmission adds a webhook of somebody else, which is called after ours: a pod that
// we admitted is stored only seconds later.
func slowAdmission(t *testing.T) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(slowest)))):
		case <-r.Context().Done():
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		_ = json.NewEncoder(w).Encode(review) // who does not listen any more need not know
	}))
	server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	server.StartTLS()
	t.Cleanup(server.Close)

	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "slow.example.com"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "slow.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			FailurePolicy:           new(admissionregistrationv1.Ignore),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			TimeoutSeconds:          new(int32(5)),
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{slowLabel: "true"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	if err := cluster.Client().Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Client().Delete(context.Background(), configuration) })
}

// refusing says whether deletes of what is in use are refused.
func refusing(ctx context.Context) (bool, error) {
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := cluster.Client().Get(ctx, client.ObjectKey{Name: "credence"}, validating); err != nil {
		return false, err
	}
	for _, entry := range validating.Webhooks {
		for _, rule := range entry.Rules {
			for _, operation := range rule.Operations {
				if operation == admissionregistrationv1.Delete {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// project makes one.
func project(t *testing.T, name string, slow bool) string {
	t.Helper()
	labels := map[string]string{v1alpha1.LabelProject: name}
	if slow {
		labels[slowLabel] = "true"
	}
	create(t, namespaceOf(name, labels))
	return name
}
