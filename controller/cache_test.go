// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"net/http"
	"testing"
)

// Secrets are listed and watched by our labels, and their metadata only: an informer
// on all of them would hold every value in the cluster, and its first list alone
// would take the memory.
func TestNoListOfAllSecrets(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.project("a", "")
	c := w.generic("key")
	w.spread(c, 1)
	w.must(w.Delete(t.Context(), c))
	w.gone(c)
	lists := w.sent.reads("/api/v1/secrets")
	if lists == 0 {
		t.Fatal("no list of Secrets was seen: the test looks at the wrong place")
	}
	if len(w.sent.wide) > 0 {
		t.Errorf("Secrets were listed or watched without a label, or with their values: %q", w.sent.wide)
	}
}

// A controller that knows the Credentials and copies, but not yet the namespaces,
// withdraws nothing: half a cache looks like a scope that nothing is in.
func TestHalfACacheWithdrawsNothing(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.project("a", "")
	c := w.generic("key")
	w.spread(c, 1)
	w.stop()

	release := make(chan struct{})
	t.Cleanup(func() { // before the world is stopped, also when the test fails
		select {
		case <-release:
		default:
			close(release)
		}
	})
	w.hold = func(r *http.Request) {
		if r.URL.Path == "/api/v1/namespaces" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}
	w.run()
	for _, path := range []string{"/apis/credence.dev/v1alpha1/credentials", "/api/v1/secrets"} {
		w.eventually(path+" is read", func() error {
			if w.sent.reads(path) == 0 {
				return errors.New("it is not")
			}
			return nil
		})
	}
	if writes := w.sent.writes("/secrets"); len(writes) > 0 {
		t.Errorf("before the namespaces were known: %q", writes)
	}
	close(release)
	w.settle(c)
	w.settle(c)
	if writes := w.sent.writes("/secrets"); len(writes) > 0 {
		t.Errorf("nothing had changed, and yet: %q", writes)
	}
}
