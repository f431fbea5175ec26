// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// still is a cluster in which every credential has its copy everywhere. All of them
// have one UID, so that one list of copies does for all.
type still struct {
	client.Reader
	credentials []v1alpha1.Credential
	copies      []metav1.PartialObjectMetadata
}

func (s *still) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var by client.ListOptions
	by.ApplyOptions(options)
	switch list := list.(type) {
	case *v1alpha1.CredentialList:
		if list.Items = s.credentials; by.FieldSelector != nil {
			list.Items = s.credentials[:1]
		}
	case *metav1.PartialObjectMetadataList:
		if list.Kind == "SecretList" {
			list.Items = append(list.Items, s.copies...) // as a cache does
		}
	}
	return nil
}

func (s *still) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.Namespace, secret.Name = key.Namespace, key.Name
		secret.Labels = map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"}
		secret.Data = map[string][]byte{"key": make([]byte, 32)}
	}
	return nil
}

// BenchmarkNamespaceMore is what the controller computes when one more namespace
// comes to 2,000, with 1,000 credentials of the cluster: whom it concerns, and a
// pass over each up to what there is to write. What is read of the API server, once
// for each credential, and the new copies are not in it.
func BenchmarkNamespaceMore(b *testing.B) {
	const namespaces, credentials = 2000, 1000
	layout := credential.DefaultLayout()
	into := catalog.New(layout)
	cluster := &still{}
	for i := range namespaces {
		name := fmt.Sprintf("team-%04d", i)
		into.SetNamespace(name, map[string]string{v1alpha1.LabelProject: name})
		cluster.copies = append(cluster.copies, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: name, Name: "genericsecret-key", UID: "copy",
			Labels:      map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "credential", v1alpha1.AnnotationFingerprint: "1:1"},
		}})
	}
	for i := range credentials {
		c := v1alpha1.Credential{
			ObjectMeta: metav1.ObjectMeta{Namespace: layout.SystemNamespace, Name: fmt.Sprintf("key-%d", i), UID: "credential"},
			Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		}
		cluster.credentials = append(cluster.credentials, c)
		into.Set(catalog.NewEntry(&c))
	}
	look := lookup.Cluster{Cache: cluster, Live: cluster}
	g := gatherer{Cluster: look, catalog: into, clock: clock.RealClock{}, keyring: &copies.Keyring{Reader: cluster},
		users: &users.Counter{Index: usage.NewIndex(), Catalog: into, Cache: cluster}}
	writer := copies.NewWriter(copies.Options{Clock: g.clock, Concurrency: 16, RetryBase: time.Second, RetryMax: time.Minute})
	w := watches{Cluster: look, layout: layout, users: g.users}
	more := feed.Namespace()
	more.Name, more.Labels = "more", map[string]string{v1alpha1.LabelProject: "more"}

	for b.Loop() {
		into.RemoveNamespace(more.Name)
		into.SetNamespace(more.Name, more.Labels)
		before, after, _ := w.namespaceChange(feed.Change{After: more})
		requests := w.concernedBy(b.Context(), before, after)
		if len(requests) != credentials {
			b.Fatalf("it concerns %d credentials", len(requests))
		}
		for i := range cluster.credentials {
			c := cluster.credentials[i]
			o := &observation{credential: &c, now: g.clock.Now(), layout: layout}
			o.wanted = copies.Wanted{Credential: client.ObjectKeyFromObject(&c), UID: c.UID, Name: "genericsecret-key", Fingerprint: "1:1"}.
				Fill(map[string][]byte{}, "1:1")
			if err := g.survey(b.Context(), o); err != nil {
				b.Fatal(err)
			}
			if err := g.plan(b.Context(), o); err != nil {
				b.Fatal(err)
			}
			o.report = writer.Spread(b.Context(), o.wanted, slices.DeleteFunc(o.steps, func(s copies.Step) bool { return s.Action != copies.Keep }))
			if status := computeStatus(o); status.Namespaces.Ready != namespaces || status.Namespaces.Desired != namespaces+1 {
				b.Fatalf("%+v", status.Namespaces)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/credentials, "µs/credential")
}
