// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	admissionapply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// bundles returns the caBundle of every entry in the cluster, ours or not.
func (c *cluster) bundles() map[string]string {
	c.t.Helper()
	var m admissionregistrationv1.MutatingWebhookConfigurationList
	var v admissionregistrationv1.ValidatingWebhookConfigurationList
	if err := errors.Join(c.client.List(c.t.Context(), &m), c.client.List(c.t.Context(), &v)); err != nil {
		c.t.Fatal(err)
	}
	bundles := map[string]string{}
	for i := range m.Items {
		for _, entry := range mutatingConfiguration(&m.Items[i]).entries {
			bundles[m.Items[i].Name+"/"+entry.name] = string(entry.caBundle)
		}
	}
	for i := range v.Items {
		for _, entry := range validatingConfiguration(&v.Items[i]).entries {
			bundles[v.Items[i].Name+"/"+entry.name] = string(entry.caBundle)
		}
	}
	return bundles
}

func TestPublisherFillsInEveryEntryThatIsOurs(t *testing.T) {
	foreign := mutating("foreign", "a")
	foreign.Labels = map[string]string{partOfLabel: product}
	provided := validating("provided", "a")
	provided.Annotations = map[string]string{SourceAnnotation: SourceProvided}
	c := newCluster(t, Settings{}, mutating("m1", "a", "b", "c"), mutating("m2", "a"), validating("v1", "a", "b"), validating("v2"),
		foreign, provided)
	c.publish() // no Secret yet: nothing to do
	c.rotate()
	c.publish()

	bundle := string(c.secret().Data[BundleKey])
	want := map[string]string{
		"m1/a": bundle, "m1/b": bundle, "m1/c": bundle, "m2/a": bundle, "v1/a": bundle, "v1/b": bundle,
		"foreign/a": "", "provided/a": "",
	}
	if diff := cmp.Diff(want, c.bundles()); diff != "" {
		t.Errorf("caBundle (-want +got):\n%s", diff)
	}
}

// A mutating configuration may have no validating one beside it, and come later: nobody
// has the right to one of that name.
func TestPublisherFillsInMutatingOnly(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a"), mutating("alone", "a"), validating("alone", "a"))
	c.publisher.Names, c.publisher.Mutating = []string{"m"}, []string{"alone", "absent"}
	c.rotate()
	c.publish()
	bundle := string(c.secret().Data[BundleKey])
	published, err := c.publisher.Published(t.Context())
	if err != nil || len(published) != 2 || string(published[0]) != bundle || string(published[1]) != bundle {
		t.Errorf("%d bundles are kept, want those of two mutating configurations: %v", len(published), err)
	}
}

// istio#5947: GitOps applies the manifest again.
func TestPublisherRepairs(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a", "b"), validating("v", "a"))
	c.rotate()
	c.publish()
	want := c.bundles()

	wiped := mutating("m", "b", "a", "new") // another order, one more
	var live admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.client.Get(t.Context(), client.ObjectKey{Name: "m"}, &live); err != nil {
		t.Fatal(err)
	}
	live.Webhooks = wiped.Webhooks
	if err := c.client.Update(t.Context(), &live); err != nil {
		t.Fatal(err)
	}
	c.publish()
	want["m/new"] = want["m/a"]
	if diff := cmp.Diff(want, c.bundles()); diff != "" {
		t.Errorf("caBundle (-want +got):\n%s", diff)
	}
}

func TestPublisherWritesNothingWhenNothingChanges(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a", "b"), validating("v", "a"))
	c.rotate()
	writes := 0
	c.publisher.Client = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			writes++
			return w.Patch(ctx, o, p, opts...)
		},
	})
	c.publish()
	first := writes
	c.publish()
	if first == 0 || writes != first {
		t.Errorf("%d writes the first time, %d more the second, want some and none", first, writes-first)
	}
}

// The list may change between read and write; an index alone would then hit the wrong entry.
func TestPublisherIsNotMisledByIndices(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a", "b"))
	c.rotate()
	moved := false
	c.publisher.Client = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if !moved {
				moved = true
				var live admissionregistrationv1.MutatingWebhookConfiguration
				if err := w.Get(ctx, client.ObjectKeyFromObject(o), &live); err != nil {
					return err
				}
				live.Webhooks[0], live.Webhooks[1] = live.Webhooks[1], live.Webhooks[0]
				if err := w.Update(ctx, &live); err != nil {
					return err
				}
			}
			return w.Patch(ctx, o, p, opts...)
		},
	})
	if _, err := c.publisher.Reconcile(t.Context(), reconcile.Request{}); err == nil {
		t.Error("the patch went through although the list had changed")
	}
	if diff := cmp.Diff(map[string]string{"m/a": "", "m/b": ""}, c.bundles()); diff != "" {
		t.Errorf("caBundle after the refused patch (-want +got):\n%s", diff)
	}
	c.publish() // the next look succeeds
	if bundles := c.bundles(); bundles["m/a"] == "" || bundles["m/a"] != bundles["m/b"] {
		t.Error("the second look did not publish")
	}
}

// rancher#44584: the first object that failed kept the others from getting the new CA.
func TestPublisherGoesOnAfterAFailure(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m1", "a"), mutating("m2", "a"), validating("v", "a"))
	c.rotate()
	boom := errors.New("boom")
	c.publisher.Client = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if o.GetName() == "m1" {
				return boom
			}
			return w.Patch(ctx, o, p, opts...)
		},
	})
	_, err := c.publisher.Reconcile(t.Context(), reconcile.Request{})
	if want := "publishing the CA bundle in MutatingWebhookConfiguration m1: boom"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if bundles := c.bundles(); bundles["m2/a"] == "" || bundles["v/a"] == "" {
		t.Error("the others did not get the bundle")
	}
}

func TestPublisherPublishesOnlyCertificates(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a"))
	c.rotate()
	ca := c.state().current
	c.change(func(s *corev1.Secret) { s.Data[BundleKey] = append(s.Data[BundleKey], ca.keyPEM...) })
	c.publish()
	assertNoKey(t, c.bundles()["m/a"], ca)
	if got, complete := parseBundle(c.published()); len(got) != 1 || !complete {
		t.Error("the bundle does not hold exactly the CA")
	}
}

// Somebody else fills in these: two who write in turns would never end.
func TestPublisherLeavesOthersTheirs(t *testing.T) {
	for _, annotation := range []string{
		"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca",
		"service.beta.openshift.io/inject-cabundle",
	} {
		t.Run(annotation, func(t *testing.T) {
			m, v := mutating("m", "a"), validating("v", "a")
			m.Annotations, v.Annotations = map[string]string{annotation: ""}, map[string]string{annotation: "x"}
			c := newCluster(t, Settings{}, m, v, mutating("m1", "a"))
			c.rotate()
			c.publish()
			bundles := c.bundles()
			if bundles["m/a"] != "" || bundles["v/a"] != "" {
				t.Error("the caBundle was written")
			}
			if bundles["m1/a"] == "" {
				t.Error("the others did not get the bundle")
			}
		})
	}
}

// The controller may write the configurations that are called as ours are, and no others. One that only looks like ours, by
// its label, neither gets a bundle nor holds up a rotation.
func TestPublisherGoesByName(t *testing.T) {
	foreign := mutating("team-policy", "a")
	foreign.Labels = map[string]string{partOfLabel: product}
	c := newCluster(t, Settings{}, mutating("credence", "a"), validating("credence", "a"), foreign)
	c.publisher.Names = nil
	c.publisher.Client = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if o.GetName() != ConfigurationName {
				t.Errorf("%s was written", o.GetName())
			}
			return w.Patch(ctx, o, p, opts...)
		},
	})
	c.rotate()
	c.publish()
	first := c.state().current.String()
	if bundles := c.bundles(); bundles["credence/a"] == "" || bundles["team-policy/a"] != "" {
		t.Errorf("caBundle: %q", bundles)
	}
	c.clock.Step(DefaultCADuration * 3 / 4)
	for range 3 {
		c.rotate()
		c.publish()
		c.clock.Step(DefaultPropagationDelay)
	}
	if c.state().current.String() == first {
		t.Error("the rotation did not end")
	}
}

// cert-manager#4838: a field manager that applies part of a list item keeps the owner of the rest from removing the item.
func TestPublisherDoesNotHoldOnToEntries(t *testing.T) {
	c := newCluster(t, Settings{})
	helm := func(entries ...string) {
		t.Helper()
		manifest := admissionapply.MutatingWebhookConfiguration("m")
		for _, entry := range entries {
			manifest.WithWebhooks(admissionapply.MutatingWebhook().WithName(entry).WithSideEffects("None").
				WithClientConfig(admissionapply.WebhookClientConfig().WithURL("https://" + entry)))
		}
		if err := c.client.Apply(t.Context(), manifest, client.FieldOwner("helm")); err != nil {
			t.Fatal(err)
		}
	}
	helm("a", "b")
	c.rotate()
	c.publish()
	bundle := string(c.secret().Data[BundleKey])
	for i, test := range []struct {
		entries []string
		want    map[string]string
	}{
		{[]string{"a", "b"}, map[string]string{"m/a": bundle, "m/b": bundle}}, // an upgrade that changes nothing wipes nothing
		{[]string{"b"}, map[string]string{"m/b": bundle}},                     // an entry can go
		{[]string{"b", "c"}, map[string]string{"m/b": bundle, "m/c": ""}},     // and come
	} {
		t.Run(fmt.Sprint("upgrade ", i), func(t *testing.T) {
			helm(test.entries...)
			if diff := cmp.Diff(test.want, c.bundles()); diff != "" {
				t.Errorf("caBundle (-want +got):\n%s", diff)
			}
		})
	}
	c.publish()
	if got := c.bundles(); got["m/c"] != bundle {
		t.Error("the new entry did not get the bundle")
	}
}
