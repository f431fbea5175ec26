// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// TestNotify: who is told of a change finds it in the catalog.
func TestNotify(t *testing.T) {
	cluster, known := newCluster(t), catalog.New(credential.DefaultLayout())
	cluster.namespaces.Add(teamA(map[string]string{"credence.dev/project": "first"}))
	f, err := feed.Start(t.Context(), cluster.informers, known)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	f.Notify(func(change feed.Change) {
		object := change.After
		if object == nil {
			object = change.Before
		}
		told <- fmt.Sprintf("%s, before: %t, after: %t, %s", object.GetName(), change.Before != nil, change.After != nil, seen(known))
	})
	cluster.run(t)
	waitSynced(t, "the feed", f.Synced) // of the initial list nobody is told

	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { cluster.namespaces.Modify(teamA(map[string]string{"credence.dev/project": "second"})) },
			"team-a, before: true, after: true, project=second"},
		{func() { cluster.credentials.Add(loginOf("quay", "quay.io")) },
			"quay, before: false, after: true, project=second quay=quay.io"},
		{func() { cluster.credentials.Delete(loginOf("quay", "quay.io")) },
			"quay, before: true, after: false, project=second"},
		{func() { cluster.namespaces.Delete(teamA(nil)) },
			"team-a, before: true, after: false, nothing"},
	} {
		step.do()
		select {
		case got := <-told:
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Fatalf("told (-want +got):\n%s", diff)
			}
		case <-time.After(time.Minute):
			t.Fatalf("not told of %s", step.want)
		}
	}
}
