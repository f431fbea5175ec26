// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
)

// Config is the administrator's client configuration.
func (c *Cluster) Config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // tests wait for the cluster, not for their own client
	return config, nil
}

// settle gives pods a network where the image of the nodes brings none, and waits
// until the cluster is ready.
func (c *Cluster) settle(ctx context.Context, bare bool) error {
	config, err := c.Config()
	if err != nil {
		return err
	}
	kube, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if bare {
		if err := c.connectPods(ctx, kube); err != nil {
			return err
		}
	}
	return c.Ready(ctx, kube)
}

// Ready waits until all nodes are ready and the system's Deployments have their pods.
func (c *Cluster) Ready(ctx context.Context, kube client.Client) error {
	var last string
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list, deployments := &corev1.NodeList{}, &appsv1.DeploymentList{}
		if err := errors.Join(kube.List(ctx, list), kube.List(ctx, deployments, client.InNamespace("kube-system"))); err != nil {
			last = err.Error()
			return false, nil //nolint:nilerr // it may be on its way up; the deadline ends this
		}
		last = unready(list.Items, deployments.Items)
		return last == "", nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the cluster: %w: %s", err, last)
	}
	return nil
}

// unready says what is not ready, if anything.
func unready(nodes []corev1.Node, deployments []appsv1.Deployment) string {
	for _, node := range nodes {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return node.Name + ": " + condition.Message
			}
		}
	}
	for _, deployment := range deployments {
		if deployment.Status.ReadyReplicas < *deployment.Spec.Replicas || deployment.Status.ObservedGeneration < deployment.Generation {
			return "Deployment " + deployment.Name + " has no ready pods yet"
		}
	}
	return ""
}

// podNetwork is a bridge on each node, for the pods of that node.
const podNetwork = `{"cniVersion": "0.4.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// connectPods gives each node its bridge for pods, and routes to those of the others.
func (c *Cluster) connectPods(ctx context.Context, kube client.Client) error {
	there, err := c.Nodes()
	if err != nil {
		return err
	}
	ranges, err := podRanges(ctx, kube, len(there))
	if err != nil {
		return err
	}
	for _, node := range there {
		script := "set -e\n"
		for _, other := range there {
			if other.String() == node.String() {
				continue
			}
			address, _, err := other.IP()
			if err != nil {
				return err
			}
			script += fmt.Sprintf("ip route replace %s via %s\n", ranges[other.String()], address)
		}
		if err := writeFile(node, "/etc/pod-routes.sh", script); err != nil {
			return err
		}
		if err := node.Command("systemctl", "restart", "pod-routes.service").Run(); err != nil {
			return fmt.Errorf("connecting the pods of %s: %w", node, err)
		}
		if err := writeFile(node, "/etc/cni/net.d/10-bridge.conflist", fmt.Sprintf(podNetwork, ranges[node.String()])); err != nil {
			return err
		}
	}
	return nil
}

// podRanges are the addresses of the nodes' pods, once all nodes have theirs.
func podRanges(ctx context.Context, kube client.Client, count int) (map[string]string, error) {
	ranges := map[string]string{}
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list := &corev1.NodeList{}
		if err := kube.List(ctx, list); err != nil {
			return false, nil //nolint:nilerr // it may be on its way up; the deadline ends this
		}
		for _, node := range list.Items {
			if node.Spec.PodCIDR != "" {
				ranges[node.Name] = node.Spec.PodCIDR
			}
		}
		return len(ranges) == count, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for the nodes' ranges of addresses: %w", err)
	}
	return ranges, nil
}

// writeFile writes a file on a node.
func writeFile(node nodes.Node, path, content string) error {
	script := `mkdir -p "$(dirname "$0")" && cat > "$0.unfinished" && mv "$0.unfinished" "$0"`
	var complaints bytes.Buffer
	err := node.Command("sh", "-c", script, path).SetStdin(strings.NewReader(content)).SetStderr(&complaints).Run()
	if err != nil {
		return fmt.Errorf("writing %s on %s: %w: %s", path, node, err, complaints.String())
	}
	return nil
}
