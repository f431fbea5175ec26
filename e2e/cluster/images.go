// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"github.com/credence-dev/credence/e2e/image"
)

// registries is the folder in which containerd looks for what a registry needs.
const registries = "/etc/containerd/certs.d"

// Load gives images, by their names, to all nodes.
func (c *Cluster) Load(_ context.Context, images map[string]v1.Image) error {
	there, err := c.Nodes()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "credence-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "images.tar")
	if err := image.Write(file, images); err != nil {
		return err
	}
	for _, node := range there {
		archive, err := os.Open(file)
		if err != nil {
			return err
		}
		err = nodeutils.LoadImageArchive(node, archive)
		_ = archive.Close() // it was read only
		if err != nil {
			return fmt.Errorf("giving images to %s: %w", node, err)
		}
	}
	return nil
}

// TrustRegistry has all nodes pull images of a host, such as registry.test:5000, from
// an endpoint, such as http://10.96.0.10:5000.
func (c *Cluster) TrustRegistry(_ context.Context, host, endpoint string) error {
	there, err := c.Nodes()
	if err != nil {
		return err
	}
	for _, node := range there {
		settings := fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint, endpoint)
		if err := writeFile(node, registries+"/"+host+"/hosts.toml", settings); err != nil {
			return err
		}
	}
	return nil
}
