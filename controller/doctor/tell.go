// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/injector/annotation"
)

// Reasons and actions of the events. What is found is told by its Kind.
const (
	eventReplaced    = "ReplacedPod"
	eventNotReplaced = "NotReplaced"

	actionExamine = "Examine"
	actionReplace = "Replace"
)

// Recorder records events. It is a part of recorder.EventRecorder.
type Recorder interface {
	Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any)
}

// teller tells of findings at the workloads that they are about, once, and again when
// something else is found.
type teller struct {
	recorder Recorder
	told     map[types.UID]string
	notDone  map[types.UID]string
}

// findings tells of what is new since the last report. What was not carried is told by those who
// carry.
func (t *teller) findings(report *Report) {
	of, order := byWorkload(report)
	told := make(map[types.UID]string, len(of))
	for _, workload := range order {
		parts := partsOf(of[workload])
		key := keyOf(parts)
		if told[workload.UID] = key; t.told[workload.UID] == key {
			continue
		}
		notes := make([]string, len(parts))
		for i := range parts {
			notes[i] = parts[i].note()
		}
		t.event(workload, corev1.EventTypeWarning, string(parts[0].kind), actionExamine, strings.Join(notes, "; "))
	}
	t.told = told
}

// repairs tells of pods that were evicted, and once of those that cannot be.
func (t *teller) repairs(report *Report) {
	of, order := byWorkload(report)
	notDone := map[types.UID]string{}
	for _, workload := range order {
		for _, f := range of[workload] {
			switch f.Repair {
			case Evicted:
				t.event(workload, corev1.EventTypeNormal, eventReplaced, actionReplace,
					fmt.Sprintf("evicted pod %s, which lacked %s; a new one has it", f.Pod, strings.Join(f.Lacks, ", ")))
			case WouldLack, Refused, Failed, RunsToEnd:
				notDone[workload.UID] = string(f.Repair)
			case NotYet, Blocked, "": // nothing new
				if before, ok := t.notDone[workload.UID]; ok && notDone[workload.UID] == "" {
					notDone[workload.UID] = before
				}
			}
		}
		if now := notDone[workload.UID]; now != "" && now != t.notDone[workload.UID] {
			t.event(workload, corev1.EventTypeWarning, eventNotReplaced, actionReplace, now)
		}
	}
	t.notDone = notDone
}

func byWorkload(report *Report) (of map[Workload][]*Finding, order []Workload) {
	of = map[Workload][]*Finding{}
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Kind == NotCarried {
			continue
		}
		if of[f.Workload] == nil {
			order = append(order, f.Workload)
		}
		of[f.Workload] = append(of[f.Workload], f)
	}
	return of, order
}

// part is what some pods of a workload have in common.
type part struct {
	kind    Kind
	lacks   string
	refusal string
	pods    []string
}

func partsOf(findings []*Finding) (parts []part) {
	for _, f := range findings {
		one := part{kind: f.Kind, lacks: strings.Join(f.Lacks, ", "), refusal: f.Refusal}
		at := slices.IndexFunc(parts, func(p part) bool { return p.kind == one.kind && p.lacks == one.lacks && p.refusal == one.refusal })
		if at < 0 {
			at = len(parts)
			parts = append(parts, one)
		}
		parts[at].pods = append(parts[at].pods, f.Pod)
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.lacks, b.lacks), cmp.Compare(a.refusal, b.refusal))
	})
	return parts
}

// keyOf is the same for what is no news: pods of a workload come and go.
func keyOf(parts []part) string {
	keys := make([]string, len(parts))
	for i, p := range parts {
		keys[i] = string(p.kind) + "\n" + p.lacks + "\n" + p.refusal
	}
	return strings.Join(keys, "\n\n")
}

func (p *part) note() string {
	pods, has, have := fmt.Sprintf("pod %s", p.pods[0]), "has", "its annotations name"
	if n := len(p.pods); n > 1 {
		pods, has, have = fmt.Sprintf("%d pods, the first of them %s,", n, p.pods[0]), "have", "their annotations name"
	}
	if p.kind == PullSecretMissing {
		return fmt.Sprintf("%s %s not run yet and %s no pull secret of %s, which serves one of the images; a new pod would get it", pods, has, has, p.lacks)
	}
	note := fmt.Sprintf("%s %s nothing of %s, which %s: nobody injected when it was created", pods, has, p.lacks, have)
	if p.refusal != "" {
		return note + "; a new pod would be refused: " + p.refusal
	}
	return note + "; a new pod would get it"
}

func (t *teller) event(about Workload, kind, reason, action, note string) {
	object := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: about.APIVersion, Kind: about.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: about.Namespace, Name: about.Name, UID: about.UID},
	}
	t.recorder.Eventf(object, nil, kind, reason, action, "%s", annotation.OneLine(note, words.EventNote))
}
