// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/controller/sighting"
)

// AwaitSighting waits until the cache shows an object whose status was written, for
// otherwise the next pass's write would be refused.
func AwaitSighting(ctx context.Context, cache client.Reader, written client.Object) {
	sighting.Await(ctx, func(ctx context.Context) bool { return shows(ctx, cache, written) })
}

// shows says whether the cache has what was written, or knows better: that it is
// gone, or that another one is in its place.
func shows(ctx context.Context, cache client.Reader, written client.Object) bool {
	seen, ok := written.DeepCopyObject().(client.Object) // of the same type
	if !ok || cache.Get(ctx, client.ObjectKeyFromObject(written), seen, client.UnsafeDisableDeepCopy) != nil {
		return true
	}
	return sighting.Reached(seen.GetResourceVersion(), written.GetResourceVersion()) || seen.GetUID() != written.GetUID()
}
