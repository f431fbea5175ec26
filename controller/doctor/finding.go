// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Kind is what is wrong.
type Kind string

// What the doctor finds.
const (
	// NotInjected is a pod that has nothing of what its annotations name.
	NotInjected Kind = "NotInjected"
	// NotCarried is a workload whose annotations are not on its pod templates as they
	// would be if they had been carried.
	NotCarried Kind = "NotCarried"
	// PullSecretMissing is a pod that has not run yet and lacks a registry login that
	// serves one of its images now.
	PullSecretMissing Kind = "PullSecretMissing"
)

// Kinds are all there are.
var Kinds = []Kind{NotInjected, NotCarried, PullSecretMissing}

// Workload is who a finding is told to: the one at the top of those that control a
// pod, or the pod itself.
type Workload struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	UID        types.UID `json:"uid"`
}

// String is "<Kind> <namespace>/<name>".
func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// Finding is one thing that is wrong, with a workload or with one of its pods.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Workload Workload `json:"workload"`
	// Pod is its name; empty where the workload itself is concerned.
	Pod    string    `json:"pod,omitempty"`
	PodUID types.UID `json:"podUID,omitempty"`
	// Lacks are what the pod has nothing of, such as `credential "openai"`.
	Lacks []string `json:"lacks,omitempty"`
	// Refusal is why a new pod like it would be refused; empty if it would not.
	Refusal string `json:"refusal,omitempty"`
	Message string `json:"message"`
	// Repair is what became of it, where somebody tried to put it right.
	Repair Outcome `json:"repair,omitempty"`

	// spared is why the pod is not to be replaced; empty where it may be.
	spared Outcome
}

// Report is what an examination comes to, sorted by namespace, workload and pod.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count returns how many findings of a kind there are.
func (r *Report) Count(kind Kind) (n int) {
	for i := range r.Findings {
		if r.Findings[i].Kind == kind {
			n++
		}
	}
	return n
}

func (r *Report) sort() {
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Workload.Namespace, b.Workload.Namespace), cmp.Compare(a.Workload.Kind, b.Workload.Kind),
			cmp.Compare(a.Workload.Name, b.Workload.Name), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Kind, b.Kind))
	})
}

// message says in one sentence what is wrong with a pod.
func (f *fault) message(pod string) string {
	lacks := strings.Join(f.lacks, ", ")
	if f.kind == PullSecretMissing {
		return fmt.Sprintf("pod %s has not run yet and lacks the pull secret of %s, which serves one of its images", pod, lacks)
	}
	text := fmt.Sprintf("pod %s was not injected: it has nothing of %s, which its annotations name", pod, lacks)
	if f.refusal != "" {
		text += "; a new pod would be refused: " + f.refusal
	}
	return text
}
