// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"context"
	"net/url"
	"path/filepath"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/local"
)

// world is a cluster with Credence, whose certificates are in a volume.
type world struct {
	*testing.T
	cluster *local.Cluster
	volume  *volume
	// addresses are where the processes answer reviews.
	addresses []string
}

// start makes a cluster with these values of the chart, and starts nothing.
func start(t *testing.T, certs map[string]any, definitions ...string) *world {
	t.Helper()
	options := base
	options.Plane.Dir, options.Apart = filepath.Join(t.TempDir(), "plane"), true
	options.Values = map[string]any{"certs": certs}
	var err error
	if options.Objects, err = chart.Read(append(definitions, "testdata/gadgets.yaml")...); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, volume: newVolume(t)}
	if w.cluster, err = local.Start(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, entry := range w.entries() {
		target, err := url.Parse(*entry.URL)
		w.must(err)
		w.addresses = append(w.addresses, target.Host)
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	w.must(local.Poll(w.Context(), what, func(context.Context) (bool, error) { return is(), nil }))
}

// process starts a process that serves with what is in the volume.
func (w *world) process(command string, args ...string) *local.Process {
	w.Helper()
	process, err := w.cluster.StartProcess(command, append(args, "--cert-dir="+w.volume.dir)...)
	w.must(err)
	w.must(process.AwaitReady(w.Context()))
	return process
}

// tellOfGadgets has the controller make a configuration of its own.
func (w *world) tellOfGadgets() {
	w.Helper()
	kind := &v1alpha1.WorkloadKind{Spec: v1alpha1.WorkloadKindSpec{APIVersion: "example.com/v1", Kind: "Gadget", PodTemplatePaths: []string{".spec.template"}}}
	kind.Name = "gadget"
	w.must(w.cluster.Client().Create(w.Context(), kind))
	w.eventually("a configuration for WorkloadKinds", func() bool { return w.configurationOfKinds() != nil })
}

// configurationOfKinds is the one that the controller owns, nil if there is none.
func (w *world) configurationOfKinds() *admissionregistrationv1.MutatingWebhookConfiguration {
	w.Helper()
	found := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := w.cluster.Client().Get(w.Context(), client.ObjectKey{Name: "credence-workload-kinds"}, found)
	w.must(client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return found
}

// configurations are all webhook configurations of Credence, by kind and name.
func (w *world) configurations() map[string]client.Object {
	w.Helper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	key := client.ObjectKey{Name: "credence"}
	w.must(w.cluster.Client().Get(w.Context(), key, mutating))
	w.must(w.cluster.Client().Get(w.Context(), key, validating))
	all := map[string]client.Object{"mutating": mutating, "validating": validating}
	if kinds := w.configurationOfKinds(); kinds != nil {
		all["of kinds"] = kinds
	}
	return all
}

// entries are those of all webhook configurations of Credence.
func (w *world) entries() map[string]admissionregistrationv1.WebhookClientConfig {
	w.Helper()
	entries := map[string]admissionregistrationv1.WebhookClientConfig{}
	for name, configuration := range w.configurations() {
		switch configuration := configuration.(type) {
		case *admissionregistrationv1.MutatingWebhookConfiguration:
			for _, entry := range configuration.Webhooks {
				entries[name+" "+entry.Name] = entry.ClientConfig
			}
		case *admissionregistrationv1.ValidatingWebhookConfiguration:
			for _, entry := range configuration.Webhooks {
				entries[name+" "+entry.Name] = entry.ClientConfig
			}
		}
	}
	return entries
}

// trusts waits until every entry has the CAs of these, in their order.
func (w *world) trusts(authorities ...*authority) {
	w.Helper()
	w.trustsBundle(bundle(authorities...))
}

func (w *world) trustsBundle(want []byte) {
	w.Helper()
	w.eventually("the CAs to be published in every entry", func() bool { return w.without(want) == "" })
}

// untrusting names an entry that has other CAs.
func (w *world) untrusting(authorities ...*authority) string {
	return w.without(bundle(authorities...))
}

func (w *world) without(want []byte) string {
	w.Helper()
	for name, entry := range w.entries() {
		if !bytes.Equal(bytes.TrimSpace(entry.CABundle), bytes.TrimSpace(want)) {
			return name
		}
	}
	return ""
}

// served waits until all processes serve with a certificate.
func (w *world) served(data map[string][]byte) {
	w.Helper()
	for _, address := range w.addresses {
		w.eventually("another certificate at "+address, func() bool { return serves(address, data) })
	}
}

// managers are who wrote a configuration.
func managers(configuration client.Object) map[string]bool {
	all := map[string]bool{}
	for _, entry := range configuration.GetManagedFields() {
		all[entry.Manager] = true
	}
	return all
}
