// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"time"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
)

// PathPullSecrets is where the other pods of projects are reviewed. Its entry
// fails open, and here too a pod that asked for nothing is never refused.
const PathPullSecrets = "/pods/pull-secrets"

// pullSecrets decides about pods that ask for nothing: they get the registry
// logins that serve their images.
type pullSecrets struct {
	known  *catalog.Catalog
	live   *liveReader
	owners *ownerReader
}

func (p *pullSecrets) admit(ctx context.Context, request *request) (response, outcome) {
	var known injector.Catalog = p.known
	if place, ok := p.known.Place(request.Namespace); !ok || !place.IsProject() {
		// The API server sees a project here, or it would not ask: our cache is behind.
		overlay, err := p.live.read(ctx, request.Namespace, nil)
		if err != nil || overlay == nil {
			return response{}, outcomeUnchanged
		}
		known = overlay
	}
	result, err := injector.Inject(known, injector.Request{
		Pod: request.Object, Namespace: request.Namespace, PullSecrets: true,
		Since: func() (time.Time, bool) { return p.owners.since(ctx, request.Namespace, request.Object) },
	})
	if err != nil { // such as an annotation of ours in a review that should have gone to the other entry
		return invalid(asRefusal(err).Error()), outcomeRefused
	}
	return injected(result)
}
