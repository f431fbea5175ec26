// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// await returns when everything serves, also to this machine.
func (s *Stage) await(ctx context.Context) error {
	for _, name := range []string{registryName, gitName, s3Name} {
		if err := poll(ctx, name+" to be ready", func() error { return s.ready(ctx, name) }); err != nil {
			return err
		}
	}
	if err := poll(ctx, "the registries to answer", func() error { return s.Registry.answers(ctx) }); err != nil {
		return err
	}
	if err := poll(ctx, "Git to answer", func() error { return s.Git.answers(ctx) }); err != nil {
		return err
	}
	return poll(ctx, "S3 to answer", func() error { return s.S3.run(ctx, "", "lsd", "stage:") })
}

// ready is an error unless a pod of that name is.
func (s *Stage) ready(ctx context.Context, name string) error {
	deployment, err := s.kube.AppsV1().Deployments(Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if deployment.Status.ObservedGeneration == deployment.Generation && deployment.Status.AvailableReplicas == 1 {
		return nil
	}
	pods, err := s.kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		return err
	}
	var states []string
	for i := range pods.Items {
		states = append(states, stateOf(&pods.Items[i]))
	}
	return fmt.Errorf("its pods: %s", strings.Join(states, "; "))
}

// stateOf is what a person would look for first.
func stateOf(pod *corev1.Pod) string {
	states := []string{string(pod.Status.Phase)}
	for _, condition := range pod.Status.Conditions {
		if condition.Status != corev1.ConditionTrue && condition.Message != "" {
			states = append(states, condition.Message)
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil {
			states = append(states, strings.TrimSpace(container.Name+": "+waiting.Reason+" "+waiting.Message))
		}
	}
	return strings.Join(states, ", ")
}

func (r *Registry) answers(ctx context.Context) error {
	client := &http.Client{Transport: r.door.transport(nil)}
	return get(ctx, client, "http://"+RegistryHost+"/v2/", http.StatusUnauthorized)
}

func (g *Git) answers(ctx context.Context) error {
	return get(ctx, g.client(), "https://"+gitHost+"/healthz", http.StatusOK)
}

func get(ctx context.Context, client *http.Client, url string, want int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// poll asks until there is no error, or the context ends.
func poll(ctx context.Context, what string, ask func() error) error {
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	for {
		last := ask()
		if last == nil {
			return nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, errors.Join(ctx.Err(), last))
		}
	}
}
