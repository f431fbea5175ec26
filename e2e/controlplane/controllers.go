// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startControllers starts the controller manager and the scheduler as far as the
// options ask for them. They serve no port: nobody elects a leader, and that they
// work shows in the objects.
func (c *ControlPlane) startControllers(ctx context.Context) error {
	if c.options.Scheduler {
		kubeconfig, err := c.writeClient("kube-scheduler", "system:kube-scheduler")
		if err != nil {
			return err
		}
		c.schedulerPr, err = launch("kube-scheduler", c.options.Programs.Scheduler, c.logPath("kube-scheduler"), []string{
			"--kubeconfig=" + kubeconfig,
			"--leader-elect=false",
			"--secure-port=0",
		})
		if err != nil {
			return err
		}
	}
	if !c.options.ControllerManager {
		return nil
	}
	kubeconfig, err := c.writeClient("kube-controller-manager", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	c.controllerManager, err = launch("kube-controller-manager", c.options.Programs.ControllerManager, c.logPath("kube-controller-manager"), []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		// The controllers' own roles, as in a real cluster.
		"--use-service-account-credentials=true",
		"--root-ca-file=" + c.path("pki", "cluster-ca.crt"),
		"--service-account-private-key-file=" + c.path("pki", "service-accounts.key"),
		// Five times the default: thousands of pods in a minute, not in five.
		"--kube-api-qps=100",
		"--kube-api-burst=150",
	})
	if err != nil {
		return err
	}
	client, err := c.clientset()
	if err != nil {
		return err
	}
	return c.controllerManager.await(ctx, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// writeClient writes the kubeconfig of one of the programs and returns its path.
func (c *ControlPlane) writeClient(name, user string) (string, error) {
	config, err := c.ConfigFor(user)
	if err != nil {
		return "", err
	}
	path := c.path(name + ".kubeconfig")
	return path, WriteKubeconfig(path, config)
}
