// SPDX-License-Identifier: Apache-2.0

package certmanager

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// entries are those of all webhook configurations that lead to Credence, as they are
// now.
func (w *world) entries(ctx context.Context) ([]admissionregistrationv1.WebhookClientConfig, error) {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	if err := errors.Join(w.client.List(ctx, mutating), w.client.List(ctx, validating)); err != nil {
		return nil, err
	}
	var entries []admissionregistrationv1.WebhookClientConfig
	add := func(entry admissionregistrationv1.WebhookClientConfig) {
		if entry.Service != nil && entry.Service.Namespace == installNamespace {
			entries = append(entries, entry)
		}
	}
	for _, configuration := range mutating.Items {
		for _, webhook := range configuration.Webhooks {
			add(webhook.ClientConfig)
		}
	}
	for _, configuration := range validating.Items {
		for _, webhook := range configuration.Webhooks {
			add(webhook.ClientConfig)
		}
	}
	return entries, nil
}

// backend is a pod behind a Service, reached from here.
type backend struct{ service, pod, address string }

// backends are the pods behind all entries.
func (w *world) backends() []backend {
	w.Helper()
	entries, err := w.entries(w.Context())
	w.must(err)
	var all []backend
	seen := map[string]bool{}
	for _, entry := range entries {
		service := &corev1.Service{}
		w.must(w.client.Get(w.Context(), client.ObjectKey{Namespace: entry.Service.Namespace, Name: entry.Service.Name}, service))
		if seen[service.Name] {
			continue
		}
		seen[service.Name] = true
		pods := &corev1.PodList{}
		w.must(w.client.List(w.Context(), pods, client.InNamespace(service.Namespace), client.MatchingLabels(service.Spec.Selector)))
		if len(pods.Items) == 0 {
			w.Fatalf("no pod is behind Service %s", service.Name)
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			all = append(all, backend{service.Name, pod.Name, w.forward(pod, w.targetPort(service, entry.Service.Port, pod))})
		}
	}
	if len(all) == 0 {
		w.Fatalf("no webhook leads to a Service in namespace %s: Credence is not installed there", installNamespace)
	}
	return all
}

// targetPort is where a pod serves what reaches a port of its Service.
func (w *world) targetPort(service *corev1.Service, number *int32, pod *corev1.Pod) int32 {
	w.Helper()
	for _, port := range service.Spec.Ports {
		switch {
		case number != nil && port.Port != *number, number == nil && port.Port != 443:
		case port.TargetPort.Type == intstr.Int:
			return port.TargetPort.IntVal
		default:
			for _, container := range pod.Spec.Containers {
				for _, of := range container.Ports {
					if of.Name == port.TargetPort.StrVal {
						return of.ContainerPort
					}
				}
			}
		}
	}
	w.Fatalf("pod %s serves no port of Service %s", pod.Name, service.Name)
	return 0
}

// forward opens a port on this machine that leads to a pod, and returns its address.
func (w *world) forward(pod *corev1.Pod, port int32) string {
	w.Helper()
	clientset, err := kubernetes.NewForConfig(w.config)
	w.must(err)
	at := clientset.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(w.config)
	w.must(err)
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	w.must(err)
	ended, broken := make(chan struct{}), error(nil)
	go func() {
		broken = forwarder.ForwardPorts()
		close(ended)
	}()
	w.Cleanup(func() {
		close(stop)
		<-ended
	})
	select {
	case <-ready:
	case <-ended:
		w.Fatalf("reaching pod %s: %v", pod.Name, broken)
	case <-time.After(within):
		w.Fatalf("reaching pod %s takes too long", pod.Name)
	}
	ports, err := forwarder.GetPorts()
	w.must(err)
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
}

// connect does what an API server does that has no connection yet, and returns the
// certificate that it is shown.
func connect(ctx context.Context, entry admissionregistrationv1.WebhookClientConfig, address string) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(entry.CABundle)
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: entry.Service.Name + "." + entry.Service.Namespace + ".svc"}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}
