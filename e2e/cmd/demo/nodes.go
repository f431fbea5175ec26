// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/cluster"
	"github.com/credence-dev/credence/e2e/live"
)

// nodes is a cluster with nodes.
type nodes struct {
	world   *live.World
	options cluster.Options
}

// startNodes makes a cluster of the demo's own.
func startNodes(ctx context.Context, s settings) (_ *nodes, err error) {
	n := &nodes{options: cluster.Options{Name: "demo", Dir: s.cluster, NodeImage: s.nodeImage, Workers: 1, Progress: os.Stderr}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	if _, err = cluster.Up(ctx, n.options); err != nil {
		return nil, err
	}
	if n.world, err = live.Open(ctx, n.options); err != nil {
		return nil, err
	}
	return n, n.world.Install(ctx)
}

// Client implements demo.Cluster.
func (n *nodes) Client() client.WithWatch { return n.world.Client }

// Kubeconfig implements demo.Cluster.
func (n *nodes) Kubeconfig() string { return n.world.Cluster.Kubeconfig() }

// Stop implements demo.Cluster.
func (n *nodes) Stop() error { return cluster.Down(context.Background(), n.options) }
