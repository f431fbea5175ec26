// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// sightingTimeout bounds the wait for the cache to show what was written.
const sightingTimeout = 2 * time.Second

// AwaitSighting waits until the cache shows a Credential whose status was written,
// for otherwise the next pass would begin with the old one, and its write be
// refused. That would do no harm, so it does not wait for long.
func AwaitSighting(ctx context.Context, cache client.Reader, written *v1alpha1.Credential) {
	_ = wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, sightingTimeout, true, func(ctx context.Context) (bool, error) {
		return shows(ctx, cache, written), nil
	})
}

// shows says whether the cache has what was written, or knows better: that it is
// gone, or that another one is in its place.
func shows(ctx context.Context, cache client.Reader, written *v1alpha1.Credential) bool {
	var seen v1alpha1.Credential
	if err := cache.Get(ctx, client.ObjectKeyFromObject(written), &seen, client.UnsafeDisableDeepCopy); err != nil {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(seen.ResourceVersion, written.ResourceVersion)
	return err != nil || order >= 0 || seen.UID != written.UID
}
