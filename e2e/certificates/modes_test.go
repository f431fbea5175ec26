// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/local"
)

// TestModesInTurn: going over to cert-manager cuts nobody off, for both CAs are trusted
// until the processes are replaced. Going back, the controller takes over every
// configuration again, its own too.
func TestModesInTurn(t *testing.T) {
	w := start(t, map[string]any{"mode": "self"}, certManagerDefinitions(t)...)
	w.startInjector()
	webhook, controller := w.selfManaged()
	w.must(w.cluster.AwaitCredentials(t.Context()))
	w.tellOfGadgets()
	own := w.ownCA()
	w.trustsBundle(own)

	w.must(w.cluster.Upgrade(t.Context(), map[string]any{"certs": map[string]any{"mode": "cert-manager"}}))
	first := newAuthority(t, "first")
	secret := w.secretOf("credence-serving")
	secret.Data = first.issue(t, first)
	w.must(w.cluster.Client().Create(t.Context(), secret))
	w.trustsBundle(append(own, bundle(first)...))
	w.must(w.cluster.AwaitCredentials(t.Context())) // while those of before serve
	webhook.Stop()
	controller.Stop()
	w.volume.write(secret.Data)
	webhook, controller = w.process("webhook"), w.process("controller")
	w.must(w.cluster.AwaitCredentials(t.Context()))
	w.trustsBundle(append(own, bundle(first)...))

	w.must(w.cluster.Upgrade(t.Context(), map[string]any{"certs": map[string]any{"mode": "self"}}))
	webhook.Stop()
	controller.Stop()
	w.selfManaged()
	w.trustsBundle(own)
	w.must(w.cluster.AwaitCredentials(t.Context()))
}

// selfManaged starts the processes with certificates that they make themselves.
func (w *world) selfManaged() (webhook, controller *local.Process) {
	w.Helper()
	var err error
	webhook, err = w.cluster.StartProcess("webhook")
	w.must(err)
	controller, err = w.cluster.StartProcess("controller")
	w.must(err)
	w.must(webhook.AwaitReady(w.Context()))
	w.must(controller.AwaitReady(w.Context()))
	return webhook, controller
}

// ownCA is the CA that the controller makes.
func (w *world) ownCA() []byte {
	w.Helper()
	secret := &corev1.Secret{}
	w.must(local.Poll(w.Context(), "a CA", func(ctx context.Context) (bool, error) {
		err := w.cluster.Client().Get(ctx, client.ObjectKey{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}, secret)
		return err == nil && len(secret.Data["ca.crt"]) > 0, client.IgnoreNotFound(err)
	}))
	return secret.Data["ca.crt"]
}
