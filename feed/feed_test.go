// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	cachetesting "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// clusterFake is a cluster of namespaces and Credentials behind real informers.
type clusterFake struct {
	namespaces, credentials *cachetesting.FakeControllerSource
	informers               *informertest.FakeInformers
}

func newCluster(t *testing.T) *clusterFake {
	t.Helper()
	scheme := runtime.NewScheme()
	namespaceKind := schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	scheme.AddKnownTypeWithName(namespaceKind, &metav1.PartialObjectMetadata{})
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := &clusterFake{namespaces: cachetesting.NewFakeControllerSource(), credentials: cachetesting.NewFakeControllerSource()}
	informer := func(source *cachetesting.FakeControllerSource, kind client.Object) toolscache.SharedIndexInformer {
		listWatch := &toolscache.ListWatch{
			ListWithContextFunc:  func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) { return source.List(o) },
			WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) { return source.Watch(o) },
		}
		return toolscache.NewSharedIndexInformer(listWatch, kind, 0, toolscache.Indexers{})
	}
	c.informers = &informertest.FakeInformers{
		Scheme: scheme,
		InformersByGVK: map[schema.GroupVersionKind]toolscache.SharedIndexInformer{
			namespaceKind: informer(c.namespaces, feed.Namespace()),
			v1alpha1.GroupVersion.WithKind("Credential"): informer(c.credentials, &v1alpha1.Credential{}),
		},
	}
	return c
}

// run starts the informers, as the cache of a manager would, until the test ends.
func (c *clusterFake) run(t *testing.T) {
	t.Helper()
	for _, informer := range c.informers.InformersByGVK {
		go informer.RunWithContext(t.Context())
	}
}

func teamA(labels map[string]string) *metav1.PartialObjectMetadata {
	object := feed.Namespace()
	object.Name, object.Labels = "team-a", labels
	return object
}

func loginOf(name, registry string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "credence-credentials", Name: name}}
	c.Spec.Type, c.Spec.Scope.Level = v1alpha1.DockerRegistry, v1alpha1.ScopeCluster
	c.Status.Registries = []string{registry}
	return c
}

// seen is what the catalog knows of namespace team-a: the project's name, and
// the image registries with the credentials that serve them.
func seen(known *catalog.Catalog) string {
	place, isKnown := known.Place("team-a")
	if !isKnown {
		return "nothing"
	}
	words := []string{"project=" + place.Project}
	known.PullCandidates(place, func(e *catalog.Entry) {
		for _, host := range []string{"quay.io", "ghcr.io"} {
			image, _ := credential.ParseImage(host + "/a")
			if _, ok := e.Serves(image); ok {
				words = append(words, e.Name+"="+host)
			}
		}
	})
	return strings.Join(words, " ")
}

// waitFor waits until the catalog has seen what it should.
func waitFor(t *testing.T, known *catalog.Catalog, want string) {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		changed := known.Changed()
		got := seen(known)
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-deadline.Done():
			t.Fatalf("the catalog has seen %q, want %q", got, want)
		}
	}
}

func TestFollows(t *testing.T) {
	cluster := newCluster(t)
	cluster.namespaces.Add(teamA(map[string]string{v1alpha1.LabelProject: "a"}))
	cluster.credentials.Add(loginOf("one", "quay.io"))
	known := catalog.New(credential.DefaultLayout())
	following, err := feed.Start(t.Context(), cluster.informers, known)
	if err != nil {
		t.Fatal(err)
	}
	if following.Synced() {
		t.Error("synced before the informers ran")
	}
	cluster.run(t)
	waitFor(t, known, "project=a one=quay.io")

	cluster.credentials.Add(loginOf("two", "ghcr.io"))
	waitFor(t, known, "project=a one=quay.io two=ghcr.io")
	cluster.credentials.Modify(loginOf("one", "ghcr.io"))
	waitFor(t, known, "project=a one=ghcr.io two=ghcr.io")
	cluster.credentials.Delete(loginOf("two", "ghcr.io"))
	waitFor(t, known, "project=a one=ghcr.io")

	cluster.namespaces.Modify(teamA(nil))
	waitFor(t, known, "project=")
	cluster.namespaces.Modify(teamA(map[string]string{v1alpha1.LabelProject: "b"}))
	waitFor(t, known, "project=b one=ghcr.io")
	cluster.namespaces.Delete(teamA(nil))
	waitFor(t, known, "nothing")
}

// TestFollowsWhatItMissed: what was deleted while the watch was down is told of
// by a tombstone after the next list.
func TestFollowsWhatItMissed(t *testing.T) {
	cluster := newCluster(t)
	cluster.namespaces.Add(teamA(map[string]string{v1alpha1.LabelProject: "a"}))
	cluster.credentials.Add(loginOf("one", "quay.io"))
	cluster.credentials.Add(loginOf("two", "ghcr.io"))
	known := catalog.New(credential.DefaultLayout())
	if _, err := feed.Start(t.Context(), cluster.informers, known); err != nil {
		t.Fatal(err)
	}
	cluster.run(t)
	waitFor(t, known, "project=a one=quay.io two=ghcr.io")

	cluster.credentials.DeleteDropWatch(loginOf("two", "ghcr.io"))
	cluster.credentials.ModifyDropWatch(loginOf("one", "ghcr.io"))
	cluster.credentials.ResetWatch()
	waitFor(t, known, "project=a one=ghcr.io")
	cluster.namespaces.DeleteDropWatch(teamA(nil))
	cluster.namespaces.ResetWatch()
	waitFor(t, known, "nothing")
}

// TestSynced: a feed is complete when the catalog has everything, and not yet when
// the informers have it: their handlers come later.
func TestSynced(t *testing.T) {
	cluster := newCluster(t)
	cluster.namespaces.Add(teamA(map[string]string{v1alpha1.LabelProject: "a"}))
	for i := range 100 {
		cluster.credentials.Add(loginOf(fmt.Sprintf("c%d", i), "quay.io"))
	}
	known := catalog.New(credential.DefaultLayout())
	following, err := feed.Start(t.Context(), cluster.informers, known)
	if err != nil {
		t.Fatal(err)
	}
	release := holdUp(known)
	cluster.run(t)
	waitSynced(t, "the informers", func() bool {
		for _, informer := range cluster.informers.InformersByGVK {
			if !informer.HasSynced() {
				return false
			}
		}
		return true
	})
	if following.Synced() {
		t.Error("synced although the catalog could not take in anything")
	}
	release()
	waitSynced(t, "the feed", following.Synced)
	if got := strings.Count(seen(known), "quay.io"); got != 100 {
		t.Errorf("synced with %d credentials of 100", got)
	}
}

// holdUp keeps a catalog from taking in anything, by reading it slowly.
func holdUp(known *catalog.Catalog) (release func()) {
	known.SetNamespace("slow", map[string]string{v1alpha1.LabelProject: "slow"})
	login := loginOf("slow", "example.com")
	login.Namespace, login.Spec.Scope.Level = "slow", v1alpha1.ScopeProject
	known.Set(catalog.NewEntry(login))
	place, _ := known.Place("slow")
	reading, done := make(chan struct{}), make(chan struct{})
	go known.PullCandidates(place, func(*catalog.Entry) {
		close(reading)
		<-done
	})
	<-reading
	return func() { close(done) }
}

func waitSynced(t *testing.T, what string, synced func() bool) {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if !toolscache.WaitForCacheSync(deadline.Done(), synced) {
		t.Fatalf("%s never synced", what)
	}
}

func TestStartFails(t *testing.T) {
	broken := errors.New("no such kind")
	cluster := newCluster(t)
	cluster.informers.Error = broken
	_, err := feed.Start(t.Context(), cluster.informers, catalog.New(credential.DefaultLayout()))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
