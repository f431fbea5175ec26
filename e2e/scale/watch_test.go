// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// onlooker watches the Secrets that have a label, as any client of the cluster
// could. Both contestants are timed by it.
type onlooker struct {
	events watch.Interface
	seen   map[string]*metav1.PartialObjectMetadata // by namespace
}

// look begins with a cluster that has no such Secret.
func (c *cluster) look(tb testing.TB, label, value string) *onlooker {
	tb.Helper()
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
	selected := client.MatchingLabels{label: value}
	if err := c.Client().List(tb.Context(), list, selected, client.Limit(1)); err != nil {
		tb.Fatal(err)
	}
	if len(list.Items) > 0 {
		tb.Fatalf("there are Secrets labelled %s=%s already", label, value)
	}
	events, err := c.Client().Watch(tb.Context(), list, selected, &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(events.Stop)
	return &onlooker{events, map[string]*metav1.PartialObjectMetadata{}}
}

// until waits until n Secrets are there and as they are to be.
func (o *onlooker) until(ctx context.Context, n int, as func(*metav1.PartialObjectMetadata) bool) error {
	ctx, cancel := context.WithTimeout(ctx, settledWithin)
	defer cancel()
	fits := 0
	for _, secret := range o.seen {
		if as(secret) {
			fits++
		}
	}
	for len(o.seen) != n || fits != n {
		event, err := o.next(ctx)
		if err != nil {
			return fmt.Errorf("watching Secrets, of which %d are there and %d as they are to be, of %d: %w", len(o.seen), fits, n, err)
		}
		secret := event.Object.(*metav1.PartialObjectMetadata)
		if before := o.seen[secret.Namespace]; before != nil && as(before) {
			fits--
		}
		if event.Type == watch.Deleted {
			delete(o.seen, secret.Namespace)
			continue
		}
		o.seen[secret.Namespace] = secret
		if as(secret) {
			fits++
		}
	}
	return nil
}

func (o *onlooker) next(ctx context.Context) (watch.Event, error) {
	select {
	case event, open := <-o.events.ResultChan():
		if !open {
			return event, errors.New("the watch has ended")
		}
		if _, ok := event.Object.(*metav1.PartialObjectMetadata); !ok {
			return event, fmt.Errorf("%s event with a %T", event.Type, event.Object)
		}
		return event, nil
	case <-ctx.Done():
		return watch.Event{}, context.Cause(ctx)
	}
}

// time is until, with the time that it took from the moment that something was
// begun.
func (o *onlooker) time(tb testing.TB, n int, as func(*metav1.PartialObjectMetadata) bool, begin func(context.Context) error) time.Duration {
	tb.Helper()
	start := time.Now()
	var took time.Duration
	group, ctx := errgroup.WithContext(tb.Context())
	group.Go(func() error { return begin(ctx) })
	group.Go(func() error {
		defer func() { took = time.Since(start) }()
		return o.until(ctx, n, as)
	})
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
	return took
}

func existing(*metav1.PartialObjectMetadata) bool { return true }
