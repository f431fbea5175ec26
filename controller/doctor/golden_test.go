// SPDX-License-Identifier: Apache-2.0

package doctor

import (
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

// TestGolden holds the doctor to the golden cases of the injector: a pod that was
// injected is in order, whatever it got; and one that was not is found.
func TestGolden(t *testing.T) {
	all, err := golden.Load("../../injector/testdata")
	if err != nil {
		t.Fatal(err)
	}
	looked, found := 0, 0
	for _, c := range all {
		document, isPod := c.Pod()
		if !isPod || c.Want == nil || c.Flags.Output != "yaml" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			before, after := &corev1.Pod{}, &corev1.Pod{}
			if yaml.Unmarshal(document, before) != nil || yaml.Unmarshal(c.Want, after) != nil {
				t.Skip("it is more or less than the API server takes")
			}
			looked++
			judge := goldenJudge(t, &c)
			for _, pod := range []*corev1.Pod{before, after} {
				if pod.Namespace == "" {
					pod.Namespace = c.Flags.Namespace
				}
			}
			if faults := must(judge.faults(after))(t); len(faults) > 0 {
				t.Errorf("of the injected pod: %+v", faults)
			}
			faults := must(judge.faults(before))(t)
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
				found++
			}
		})
	}
	if looked < 60 || found < 40 {
		t.Errorf("%d pods were looked at and %d found; the test proves little", looked, found)
	}
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
