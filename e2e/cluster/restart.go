// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os/exec"

	"golang.org/x/sync/errgroup"
)

// Restart stops all nodes at once and starts them again, as when the power goes and
// comes back. It returns when they have started, which is long before they are ready.
func (c *Cluster) Restart(ctx context.Context) error {
	there, err := c.Nodes()
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, node := range there {
		all.Go(func() error {
			if said, err := exec.CommandContext(ctx, "docker", "restart", node.String()).CombinedOutput(); err != nil {
				return fmt.Errorf("restarting %s: %w: %s", node, err, said)
			}
			return nil
		})
	}
	return all.Wait()
}
