// SPDX-License-Identifier: Apache-2.0

// Package sighting owns the wait for a cache to show what was just written, for
// otherwise the next pass would begin with what was there before and write again.
// It must not import anything of this module.
package sighting

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
)

// timeout bounds a wait, and interval is how often it looks. To write again does no
// harm, so nobody waits for long.
const (
	timeout  = 2 * time.Second
	interval = 5 * time.Millisecond
)

// Await waits until something shows, for a short time.
func Await(ctx context.Context, shows func(context.Context) bool) {
	_ = wait.PollUntilContextTimeout(ctx, interval, timeout, true, func(ctx context.Context) (bool, error) {
		return shows(ctx), nil
	})
}

// Reached says whether a resourceVersion that was seen is the one that was written
// or a newer one. Of versions that cannot be compared it says so too.
func Reached(seen, written string) bool {
	order, err := resourceversion.CompareResourceVersion(seen, written)
	return err != nil || order >= 0
}
