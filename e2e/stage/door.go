// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// door leads from this machine to a Service, through a port of any node.
type door struct {
	kube kubernetes.Interface
	port int32
}

// door is that of the first port of a Service.
func (s *Stage) door(service corev1.Service) door {
	return door{kube: s.kube, port: service.Spec.Ports[0].NodePort}
}

// address is looked up each time: nodes may get others when they start again.
func (d door) address(ctx context.Context) (string, error) {
	addresses, err := nodeAddresses(ctx, d.kube)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(addresses[0], strconv.Itoa(int(d.port))), nil
}

// transport reaches the Service by whatever name it is asked for.
func (d door) transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig:   config,
		DisableKeepAlives: true, // so that nothing is left open
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			address, err := d.address(ctx)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
}

// nodeAddresses are those of the nodes inside the cluster, of ready ones and of the
// control plane first.
func nodeAddresses(ctx context.Context, kube kubernetes.Interface) ([]string, error) {
	nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	slices.SortStableFunc(nodes.Items, func(a, b corev1.Node) int { return cmp.Compare(rank(&a), rank(&b)) })
	var all []string
	for i := range nodes.Items {
		for _, address := range nodes.Items[i].Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				all = append(all, address.Address)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no node has an address")
	}
	return all, nil
}

func rank(node *corev1.Node) int {
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	_, controlPlane := node.Labels[controlPlaneLabel]
	switch {
	case ready && controlPlane:
		return 0
	case ready:
		return 1
	}
	return 2
}
