// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/charts"
	"github.com/credence-dev/credence/e2e/local"
)

// TestProvided: the processes serve with certificates of the user's, whose CA the
// controller publishes everywhere. Another CA takes over without anybody being cut off, if
// both are in ca.crt meanwhile.
func TestProvided(t *testing.T) {
	w := start(t, map[string]any{"mode": "provided", "provided": map[string]any{"secretName": "ours"}})
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	w.volume.write(first.issue(t, first))
	webhook := w.process("webhook")
	controller := w.process("controller", "--ca-files="+w.volume.dir+"/ca.crt")
	w.must(w.cluster.AwaitCredentials(t.Context()))
	w.tellOfGadgets()
	w.trusts(first)

	// An upgrade conflicts with nothing, and wipes nothing.
	w.must(w.cluster.Upgrade(t.Context(), map[string]any{"labels": map[string]any{"department": "example.com/department"}}))
	if entry := w.untrusting(first); entry != "" {
		t.Errorf("%s has lost the CA by an upgrade", entry)
	}

	w.volume.write(first.issue(t, first, second))
	w.trusts(first, second)
	next := second.issue(t, first, second)
	w.volume.write(next)
	w.served(next)
	w.volume.write(second.issue(t, second))
	w.trusts(second)
	w.must(w.cluster.AwaitCredentials(t.Context()))

	w.makesNoCA()
	w.exportWhatIsShown(webhook, controller)
}

// makesNoCA holds that the controller makes no CA that nobody uses.
func (w *world) makesNoCA() {
	w.Helper()
	err := w.cluster.Client().Get(w.Context(), client.ObjectKey{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		w.Errorf("a CA is made that nobody uses: %v", err)
	}
}

// exportWhatIsShown holds that the metrics of libraries in the dashboard are those that
// the processes have. Our own are looked for in the code, by package charts.
func (w *world) exportWhatIsShown(processes ...*local.Process) {
	w.Helper()
	content, err := charts.FS.ReadFile("credence/files/dashboards/credence.json")
	w.must(err)
	var shown struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	w.must(json.Unmarshal(content, &shown))
	var exported strings.Builder
	for _, process := range processes {
		metrics, err := process.Metrics(w.Context())
		w.must(err)
		exported.Write(metrics)
	}
	looked := 0
	for _, panel := range shown.Panels {
		for _, target := range panel.Targets {
			for _, match := range regexp.MustCompile(`([a-z][a-z0-9_]*)\{`).FindAllStringSubmatch(target.Expr, -1) {
				if strings.HasPrefix(match[1], "credence_") {
					continue
				}
				looked++
				if !regexp.MustCompile(`(?m)^` + match[1] + `[{ ]`).MatchString(exported.String()) {
					w.Errorf("no process exports %s", match[1])
				}
			}
		}
	}
	if looked == 0 {
		w.Error("the dashboard shows no metric of a library")
	}
}
