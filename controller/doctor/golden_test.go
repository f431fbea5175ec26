// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/manifest"
)

// silent are golden cases in which something is left to do and the doctor says
// nothing, with the reason.
var silent = map[string]string{
	"envfrom-is-there": "it refers to the credential's Secret in one container",
	"injected-partly":  "it has a part of what it names",
}

// notRun are the golden cases that the doctor does not look at, by the reason.
var notRun = map[string]string{
	"the workload is of a kind that is examined by its pods": `
		bad-carried bad-carried-misspelt bad-null-container bad-type-template carry carry-again carry-controlled carry-detach
		carry-detach-last carry-edited carry-inject-false carry-list-forged carry-no-annotations carry-no-metadata
		carry-owned-not-controlled carry-template-wins environment-deployment kind-cronjob kind-daemonset kind-deployment
		kind-deployment-no-template kind-deployment-pull-secrets kind-deployment-unannotated kind-job kind-knative kind-other
		kind-podtemplate kind-pytorchjob kind-raycluster kind-replicaset kind-replicationcontroller kind-rollout-reference
		kind-statefulset kind-unknown misplaced template-deployment`,
	"there is more than one object": `
		bad-items bad-json bad-name-odd bad-not-an-object bad-several bad-type bad-yaml bad-yaml-infinite form-documents form-json
		form-list form-list-annotated form-list-patch form-podlist form-separators`,
	"no API server has such an object": "bad-json-twice bad-kind bad-type-json bad-type-name bad-yaml-quote bad-yaml-secret bad-yaml-twice",
	"a patch is printed, and no pod":   "environment-patch form-json-patch",
}

// TestGolden holds the doctor to the golden cases of the injector: a pod that was
// injected is in order, whatever it got; one that was not is found; and of one that
// would be refused now nothing else is said than its author would be told.
func TestGolden(t *testing.T) {
	all, err := golden.Load("../../injector/testdata")
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]string{}
	for reason, names := range notRun {
		for _, name := range strings.Fields(names) {
			left[name] = reason
		}
	}
	counts := map[verdict]int{}
	for _, c := range all {
		before, after, ok := podsOf(&c)
		reason, listed := left[c.Name]
		switch delete(left, c.Name); {
		case ok == listed:
			t.Errorf("%s can be run: %t; and is listed as one that cannot because %q", c.Name, ok, reason)
		case ok:
			t.Run(c.Name, func(t *testing.T) { counts[checkGolden(t, &c, before, after)]++ })
		}
	}
	if len(left) > 0 {
		t.Errorf("there are no such cases: %v", left)
	}
	if counts[sound]+counts[foundOne] < 60 || counts[foundOne] < 40 || counts[refusedNow] < 90 {
		t.Errorf("of the pods that were looked at there are %v; the test proves little", counts)
	}
}

// verdict is what is seen of a case.
type verdict string

const (
	sound      verdict = "sound"
	foundOne   verdict = "found"
	refusedNow verdict = "found, and refused now"
	unnamed    verdict = "refused, for what nothing can be found by"
)

// podsOf returns the pod of a case, and as it is injected, nil if it is refused; and
// false if the API server would not have such a pod.
func podsOf(c *golden.Case) (before, after *corev1.Pod, ok bool) {
	document, isPod := c.Pod()
	before, after = &corev1.Pod{}, &corev1.Pod{}
	if !isPod || yaml.Unmarshal(document, before) != nil || yaml.Unmarshal(c.Want, after) != nil {
		return nil, nil, false
	}
	for _, pod := range []*corev1.Pod{before, after} {
		if pod.Namespace == "" {
			pod.Namespace = c.Flags.Namespace
		}
	}
	if c.Want == nil {
		return before, nil, true
	}
	return before, after, true
}

func checkGolden(t *testing.T, c *golden.Case, before, after *corev1.Pod) verdict {
	t.Helper()
	judge := goldenJudge(t, c)
	faults := must(judge.faults(before))(t)
	if after == nil {
		return checkRefused(t, c, faults)
	}
	if faults := must(judge.faults(after))(t); len(faults) > 0 {
		t.Errorf("of the injected pod: %+v", faults)
	}
	reason, isSilent := silent[c.Name]
	left := len(c.Want) > 0 && !sameContent(t, before, after)
	switch {
	case left && len(faults) == 0 && !isSilent:
		t.Error("what was not injected is not found")
	case left && len(faults) > 0 && isSilent:
		t.Errorf("it is found, although: %s", reason)
	case !left && len(faults) > 0:
		t.Errorf("there is nothing to do: %+v", faults)
	case left && len(faults) > 0:
		return foundOne
	}
	return sound
}

// checkRefused checks what is said of a pod that would be refused now, or was stored
// while no webhook was there to refuse it.
func checkRefused(t *testing.T, c *golden.Case, faults []fault) verdict {
	t.Helper()
	_, refusal := c.Sentences()
	switch {
	case len(faults) == 0:
		return unnamed
	case len(faults) > 1 || faults[0].kind != NotInjected:
		t.Errorf("found is %+v", faults)
	case faults[0].refusal == "": // what is being deleted only new workloads cannot have
		return foundOne
	case faults[0].refusal != refusal:
		t.Errorf("a new one is refused because %q, not %q", faults[0].refusal, refusal)
	}
	return refusedNow
}

// must is for calls that cannot fail here.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func goldenJudge(t *testing.T, c *golden.Case) *Judge {
	t.Helper()
	documents, err := manifest.ReadFile(c.Assets, nil)
	if err != nil {
		t.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		t.Fatal(err)
	}
	layout := credential.DefaultLayout()
	if c.Flags.ProjectLabel != "" {
		layout.ProjectLabel = c.Flags.ProjectLabel
	}
	known, _ := assets.Catalog(layout, "team-a")
	return &Judge{Catalog: known}
}

// sameContent says whether two pods have the same specification.
func sameContent(t *testing.T, a, b *corev1.Pod) bool {
	t.Helper()
	write := func(p *corev1.Pod) string {
		text, err := yaml.Marshal(p.Spec)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return write(a) == write(b)
}
