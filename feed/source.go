// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Source puts into the queue of a controller what changes concern, and holds its
// workers back until the catalog is complete.
type Source[request comparable] struct {
	Feed *Feed
	// Affected are the requests for a change.
	Affected func(context.Context, Change) []request
	// Initial are those for what was there before, if that does not come otherwise.
	Initial func(context.Context) []request

	queue workqueue.TypedRateLimitingInterface[request]
}

var _ source.SyncingSource = (*Source[reconcile.Request])(nil)

// Start implements source.Source.
func (s *Source[request]) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[request]) error {
	s.queue = queue
	s.Feed.Notify(func(change Change) { s.add(s.Affected(ctx, change)) })
	return nil
}

// WaitForSync implements source.SyncingSource. What was there before Start did
// not come as a change, so it is brought here, once everything is known.
func (s *Source[request]) WaitForSync(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		return s.Feed.Synced(), nil
	})
	if errors.Is(ctx.Err(), context.Canceled) { // the process is stopping
		return nil
	}
	if err != nil {
		return fmt.Errorf("waiting for the catalog: %w", err)
	}
	if s.Initial != nil {
		s.add(s.Initial(ctx))
	}
	return nil
}

func (s *Source[request]) add(requests []request) {
	for _, r := range requests {
		s.queue.Add(r)
	}
}
