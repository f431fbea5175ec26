// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// The names are written down here because they are promised to operators.
const (
	configurationName = "credence"
	bundleKey         = "ca.crt"
)

// The CA is rotated while pods are created: not one creation fails, and not one of
// those who connect anew meanwhile, trusting what is published at that moment. For
// some time the next CA cannot be published; that long, nothing is signed with it.
func TestRotationUnderLoad(t *testing.T) {
	project(t, "rotation")
	create(t, genericSource("rotation", "key"), genericCredential("rotation", "key"))
	ready(t, "rotation", "key")
	load := startLoad(t)
	before := ca(t)

	allow := forbidPublication(t)
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"now"}}}`, "credence.dev/rotate-ca"))
	if err := cluster.Client().Patch(t.Context(), ca(t), patch); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the next CA to be made", func() bool { return !bytes.Equal(ca(t).Data[bundleKey], before.Data[bundleKey]) })
	over, tick := time.After(5*propagationDelay), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		if !bytes.Equal(ca(t).Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) {
			t.Fatal("a CA signs that is not published")
		}
		select {
		case <-tick.C:
		case <-over:
			waiting = false
		}
	}
	allow()
	waitFor(t, "another CA to sign", func() bool { return !bytes.Equal(ca(t).Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) })
	created, leaves := load.created.Load(), load.leaves.Load()
	waitFor(t, "pods under the new CA", func() bool { return load.created.Load() > created+200 || t.Failed() })
	waitFor(t, "a leaf of the new CA", func() bool { return load.leaves.Load() > leaves || leaves > 1 || t.Failed() })
	load.stop()
	t.Logf("%d pods were created, %d connections made, %d leaves seen", load.created.Load(), load.connections.Load(), load.leaves.Load())
}

// load is what goes on during a rotation.
type load struct {
	created, connections, leaves atomic.Int64
	cancel                       context.CancelFunc
	all                          sync.WaitGroup
}

func (l *load) stop() {
	l.cancel()
	l.all.Wait()
}

// startLoad creates pods, and connects to the webhook anew all the time.
func startLoad(t *testing.T) *load {
	t.Helper()
	l := &load{}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(t.Context())
	t.Cleanup(l.stop)
	for worker := range 4 {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p := pod("rotation", fmt.Sprintf("p-%d-%d", worker, i), map[string]string{v1alpha1.AnnotationCredentials: "key"})
				if err := cluster.Client().Create(context.WithoutCancel(ctx), p); err != nil {
					t.Errorf("a creation failed: %v", err)
					return
				}
				if !hasToken(p, "key") {
					t.Error("a pod was admitted without its credential")
				}
				l.created.Add(1)
			}
		})
	}
	l.all.Go(func() {
		seen := map[string]bool{}
		for ctx.Err() == nil {
			for _, entry := range entries(t, ctx) {
				leaf, err := connect(entry)
				if err != nil {
					t.Errorf("who trusts what is published cannot connect: %v", err)
					return
				}
				l.connections.Add(1)
				if !seen[string(leaf.Raw)] {
					seen[string(leaf.Raw)] = true
					l.leaves.Add(1)
				}
			}
		}
	})
	return l
}

// entries are those of our webhook configurations, as they are now.
func entries(t *testing.T, ctx context.Context) []admissionregistrationv1.WebhookClientConfig { //nolint:revive // t comes first, as everywhere
	var found []admissionregistrationv1.WebhookClientConfig
	key := client.ObjectKey{Name: configurationName}
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	for _, configuration := range []client.Object{mutating, validating} {
		if err := cluster.Client().Get(ctx, key, configuration); client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
			t.Errorf("reading the configuration: %v", err)
		}
	}
	for _, webhook := range mutating.Webhooks {
		found = append(found, webhook.ClientConfig)
	}
	for _, webhook := range validating.Webhooks {
		found = append(found, webhook.ClientConfig)
	}
	return found
}

// connect does what an API server does that has no connection yet, and returns the
// certificate that it is shown.
func connect(entry admissionregistrationv1.WebhookClientConfig) (*x509.Certificate, error) {
	at, err := url.Parse(*entry.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(entry.CABundle)
	connection, err := tls.Dial("tcp", at.Host, &tls.Config{RootCAs: roots, ServerName: at.Hostname()})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0], nil
}

// forbidPublication takes from the controller the right to write the webhook
// configurations, and returns how to give it back.
func forbidPublication(t *testing.T) (allow func()) {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	key := client.ObjectKey{Name: "credence-controller"}
	if err := cluster.Client().Get(t.Context(), key, role); err != nil {
		t.Fatal(err)
	}
	rules, without := role.Rules, role.DeepCopy().Rules
	for i := range without {
		if slices.Contains(without[i].APIGroups, admissionregistrationv1.GroupName) {
			without[i].Verbs = slices.DeleteFunc(without[i].Verbs, func(verb string) bool { return verb == "patch" })
		}
	}
	set := func(rules []rbacv1.PolicyRule, want bool) {
		t.Helper()
		role := &rbacv1.ClusterRole{}
		if err := cluster.Client().Get(context.Background(), key, role); err != nil {
			t.Fatal(err)
		}
		role.Rules = rules
		if err := cluster.Client().Update(context.Background(), role); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the API server to take in the right", func() bool { return mayPublish(t) == want })
	}
	set(without, false)
	allow = sync.OnceFunc(func() { set(rules, true) })
	t.Cleanup(allow)
	return allow
}

func mayPublish(t *testing.T) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + local.InstallNamespace + ":credence-controller",
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: admissionregistrationv1.GroupName, Resource: "mutatingwebhookconfigurations", Name: configurationName, Verb: "patch",
		},
	}}
	if err := cluster.Client().Create(context.Background(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// ca is the CA Secret.
func ca(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if err := local.Poll(context.Background(), what, func(context.Context) (bool, error) { return condition(), nil }); err != nil {
		t.Fatal(err)
	}
}
