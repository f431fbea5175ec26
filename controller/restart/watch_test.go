// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// newWatch watches a cluster where web reads credential key, which changed.
func newWatch(t *testing.T) (*watch, workqueue.TypedInterface[usage.Workload]) {
	known := catalog.New(credential.DefaultLayout())
	known.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a"})
	known.SetNamespace("team-b", map[string]string{v1alpha1.LabelProject: "b"})
	c, silent := rotated("key", 10), rotated("silent", 10, func(c *v1alpha1.Credential) { c.Spec.Rotation = nil })
	known.Set(catalog.NewEntry(c))
	known.Set(catalog.NewEntry(silent))
	reads := usage.Reader{Pod: types.NamespacedName{Namespace: "team-a", Name: "web-1"}, Workload: web, StartedAt: at(0)}
	elected := make(chan struct{})
	close(elected)
	queue := workqueue.NewTyped[usage.Workload]()
	t.Cleanup(queue.ShutDown)
	return &watch{feed: &feed.Feed{}, elected: elected, facts: facts{catalog: known, cache: clientOf(t, c, silent, copied("k:2")),
		index: indexFake{"genericsecret-key": {reads}, "genericsecret-silent": {reads}}}}, queue
}

// TestDrain has what is noted, and how many workloads it brings.
func TestDrain(t *testing.T) {
	credentialKey := types.NamespacedName{Namespace: "credence-credentials", Name: "key"}
	for name, test := range map[string]struct {
		note func(*watch)
		want int
	}{
		"nothing":                  {func(*watch) {}, 0},
		"where it is read":         {func(w *watch) { w.notePlace(place{"team-a", "genericsecret-key"}) }, 1},
		"where it is not":          {func(w *watch) { w.notePlace(place{"team-b", "genericsecret-key"}) }, 0},
		"no project":               {func(w *watch) { w.notePlace(place{"other", "genericsecret-key"}) }, 0},
		"another Secret":           {func(w *watch) { w.notePlace(place{"team-a", "other"}) }, 0},
		"one that does not ask":    {func(w *watch) { w.notePlace(place{"team-a", "genericsecret-silent"}) }, 0},
		"the credential":           {func(w *watch) { w.noteCredential(credentialKey) }, 1},
		"another credential":       {func(w *watch) { w.noteCredential(types.NamespacedName{Name: "x"}) }, 0},
		"everything":               {func(w *watch) { w.noteAll() }, 1},
		"the credential and place": {func(w *watch) { w.noteCredential(credentialKey); w.notePlace(place{"team-a", "genericsecret-key"}) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, queue := newWatch(t)
			test.note(w)
			w.drain(t.Context(), queue)
			if queue.Len() != test.want {
				t.Errorf("%d workloads", queue.Len())
			}
			if left := w.take(); len(left.places)+len(left.credentials) > 0 || left.all {
				t.Errorf("%+v is left", left)
			}
		})
	}
}

// TestStandby: what is in a queue that nobody serves stays there, and so does what
// is noted and never looked through.
func TestStandby(t *testing.T) {
	w, queue := newWatch(t)
	elected := make(chan struct{})
	w.elected = elected
	w.noteAll() // as Start does
	for range 2 {
		w.onFeed(feed.Change{After: rotated("key", 10)})
		w.onCopy(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "genericsecret-key"}})
		w.drain(t.Context(), queue)
	}
	if queue.Len() > 0 || len(w.noted.places)+len(w.noted.credentials) > 0 {
		t.Errorf("a standby keeps %d workloads and %+v", queue.Len(), w.noted)
	}
	close(elected)
	w.drain(t.Context(), queue)
	if queue.Len() != 1 {
		t.Errorf("a leader has %d workloads", queue.Len())
	}
}

// TestNotes: a status is written for many reasons that restart nothing.
func TestNotes(t *testing.T) {
	users := func(c *v1alpha1.Credential) { c.Status.UsedBy.Total, c.Status.OutdatedPods = 3, 2 }
	silent := func(c *v1alpha1.Credential) { c.Spec.Rotation = nil }
	for name, test := range map[string]struct {
		before, after *v1alpha1.Credential
		want          int
	}{
		"new":               {nil, rotated("key", 10), 1},
		"its users":         {rotated("key", 10), rotated("key", 10, users), 0},
		"its values":        {rotated("key", 10), rotated("key", 11), 1},
		"begins to ask":     {rotated("key", 10, silent), rotated("key", 10), 1},
		"does not ask":      {rotated("key", 10), rotated("key", 11, silent), 0},
		"its source is bad": {rotated("key", 10), rotated("key", 10, withdrawn), 0},
		"it is back":        {rotated("key", 10, withdrawn), rotated("key", 10), 1},
		"it is there again": {rotated("key", 10, sourceless), rotated("key", 10), 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newWatch(t)
			change := feed.Change{After: test.after}
			if test.before != nil {
				change.Before = test.before
			}
			w.onFeed(change)
			if len(w.noted.credentials) != test.want {
				t.Errorf("noted %v", w.noted.credentials)
			}
		})
	}
}
