// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/credential/words"
)

func replicaSet(namespace, name string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name)}}
}

// notebook takes down events.
type notebook struct{ events []string }

func (n *notebook) Eventf(about, _ runtime.Object, kind, reason, action, note string, args ...any) {
	object := about.(*metav1.PartialObjectMetadata)
	n.events = append(n.events, fmt.Sprintf("%s %s %s %s %s: %s", object.Kind, object.Name, kind, reason, action, fmt.Sprintf(note, args...)))
}

// take returns what was told since it was last asked.
func (n *notebook) take() []string {
	events := n.events
	n.events = nil
	return events
}

func lacking(workload, pod string, kind Kind, refusal string, lacks ...string) Finding {
	return Finding{Kind: kind, Workload: Workload{"apps/v1", "Deployment", "team-a", workload, types.UID("uid-" + workload)},
		Pod: pod, PodUID: types.UID("uid-" + pod), Lacks: lacks, Refusal: refusal}
}

// TestTellFindings: one event for a workload, and again only for news.
func TestTellFindings(t *testing.T) {
	events := &notebook{}
	teller := teller{recorder: events}
	openai, hub := `credential "openai"`, `registry login "hub"`
	for _, step := range []struct {
		what     string
		findings []Finding
		want     []string
	}{
		{"two pods", []Finding{lacking("web", "web-1", NotInjected, "", openai), lacking("web", "web-2", NotInjected, "", openai), lacking("web", "web-3", PullSecretMissing, "", hub)},
			[]string{`Deployment web Warning NotInjected Examine: 2 pods, the first of them web-1, have nothing of credential "openai", which their annotations name: nobody injected when it was created; a new pod would get it; ` +
				`pod web-3 has not run yet and has no pull secret of registry login "hub", which serves one of the images; a new pod would get it`}},
		{"other pods", []Finding{lacking("web", "web-4", NotInjected, "", openai), lacking("web", "web-3", PullSecretMissing, "", hub)}, nil},
		{"another workload", []Finding{lacking("api", "api-1", NotInjected, "there is no such thing", openai), lacking("web", "web-4", NotInjected, "", openai), lacking("web", "web-3", PullSecretMissing, "", hub)},
			[]string{`Deployment api Warning NotInjected Examine: pod api-1 has nothing of credential "openai", which its annotations name: nobody injected when it was created; a new pod would be refused: there is no such thing`}},
		{"what was not carried", []Finding{lacking("db", "", NotCarried, "")}, nil},
		{"something else", []Finding{lacking("api", "api-1", NotInjected, "", openai)},
			[]string{`Deployment api Warning NotInjected Examine: pod api-1 has nothing of credential "openai", which its annotations name: nobody injected when it was created; a new pod would get it`}},
		{"nothing", nil, nil},
		{"it again", []Finding{lacking("api", "api-1", PullSecretMissing, "", hub)},
			[]string{`Deployment api Warning PullSecretMissing Examine: pod api-1 has not run yet and has no pull secret of registry login "hub", which serves one of the images; a new pod would get it`}},
	} {
		teller.findings(&Report{Findings: step.findings})
		if diff := cmp.Diff(step.want, events.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
	teller.findings(&Report{Findings: []Finding{lacking("api", "p", NotInjected, strings.Repeat("long\n", 1000), openai)}})
	if got := events.take(); len(got) != 1 || len(got[0]) > words.EventNote+100 || strings.Contains(got[0], "\n") {
		t.Errorf("a long note: %d bytes", len(strings.Join(got, "")))
	}
}

func TestTellRepairs(t *testing.T) {
	events := &notebook{}
	teller := teller{recorder: events}
	became := func(outcomes ...Outcome) *Report {
		var report Report
		for i, outcome := range outcomes {
			f := lacking("web", fmt.Sprintf("web-%d", i), NotInjected, "", `credential "openai"`)
			f.Repair = outcome
			report.Findings = append(report.Findings, f)
		}
		return &report
	}
	const evicted = `Deployment web Normal ReplacedPod Replace: evicted pod web-0, which lacked credential "openai"; a new one has it`
	for _, step := range []struct {
		report *Report
		want   []string
	}{
		{became(WouldLack), []string{"Deployment web Warning NotReplaced Replace: " + string(WouldLack)}},
		{became(WouldLack), nil},
		{became(""), nil},
		{became(WouldLack), nil},
		{became(Refused), []string{"Deployment web Warning NotReplaced Replace: " + string(Refused)}},
		{became(Evicted, NotYet), []string{evicted}},
		{became(NotYet, Gone, Uncontrolled, Blocked), nil},
	} {
		teller.repairs(step.report)
		if diff := cmp.Diff(step.want, events.take()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step.report.Findings, diff)
		}
	}
}
