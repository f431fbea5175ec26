// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

// unneeded are rights that the story does not bring about, by account, with the
// reason to give them all the same.
var unneeded = map[string]map[right]string{
	"credence-controller": {
		{"", "events.k8s.io", "events", "", "patch"}:        "the same event once more, about the same version of an object, becomes a series",
		{local.InstallNamespace, "", "events", "", "patch"}: "the same of leader election, which tells something else each time",
		{"", "", "configmaps", trust, "delete"}:             "certificates stay for ten minutes where nothing is fetched any more",
	},
	"credence-webhook": {},
}

// Every right that the chart gives is needed, and none that is needed is missing.
func TestGrants(t *testing.T) {
	defer checkRequests(t) // also where the story ends because a right is missing
	s := newStory(t)
	s.spread()
	s.restart()
	s.adopt()
	s.assets()
	s.force()
	s.bundle()
	s.evict()
	s.workloads()
	s.rotateCA()
	s.forgetKinds()
	s.remove()
	for account, without := range unneeded {
		rights := granted(t, account)
		for r := range without {
			if !slices.Contains(rights, r) {
				t.Errorf("%s: it is excused that %s is not needed, but it is not given", account, r)
			}
		}
		until(t, account+" to need all of its rights", func(ctx context.Context) error {
			s.askWebhook(ctx)
			needed := map[right]bool{}
			for request := range readAudit(t).allowed[account] {
				if r, ok := narrowest(rights, request); ok {
					needed[r] = true
				}
			}
			var errs []error
			for _, r := range unused(rights, needed, without) {
				errs = append(errs, fmt.Errorf("%s is given and not needed", r))
			}
			return errors.Join(errs...)
		})
	}
}

// checkRequests fails if something was asked for that the chart gives no right to,
// whether it was refused or somebody else's rules allowed it.
func checkRequests(t *testing.T) {
	t.Helper()
	all := readAudit(t)
	for account := range unneeded {
		rights := granted(t, account)
		for request := range all.refused[account] {
			// At the start, the API server may not have read yet what it has a right to.
			if _, given := narrowest(rights, request); !given && request.group != usersGroup {
				t.Errorf("%s was refused: %s", account, request)
			}
		}
		for request := range all.allowed[account] {
			if request.group == usersGroup {
				continue // which a user's role gives
			}
			if _, given := narrowest(rights, request); !given {
				t.Errorf("%s was allowed, but not by the chart: %s", account, request)
			}
		}
	}
	for _, by := range []map[string]map[right]bool{all.allowed, all.refused} {
		for account := range by {
			if unneeded[account] == nil {
				t.Errorf("account %s is not known here", account)
			}
		}
	}
}
