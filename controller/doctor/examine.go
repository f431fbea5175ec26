// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Input is what an examination is made of.
type Input struct {
	Judge
	// Pods are those that may have something wrong. One that comes twice is looked at
	// once.
	Pods iter.Seq2[*corev1.Pod, error]
	// Top returns the workload at the top of those that control a pod: the pod itself, if
	// nothing does.
	Top func(*corev1.Pod) Workload
	// Uncarried are the workloads whose annotations were not carried.
	Uncarried []Workload
	// Sound, if there is one, is called for each pod that nothing is wrong with.
	Sound func(*corev1.Pod)
	// Odd, if there is one, is called for each pod that cannot be judged. Without it, such
	// a pod ends the examination.
	Odd func(*corev1.Pod, error)
}

// Examine looks at pods and workloads. It reads by its input alone, and changes
// nothing. An error comes with what was found before it.
func Examine(in Input) (report Report, err error) {
	report.Findings = []Finding{}
	defer func() { report.sort() }()
	for _, workload := range in.Uncarried {
		report.Findings = append(report.Findings, Finding{Kind: NotCarried, Workload: workload,
			Message: "the annotations of " + workload.Kind + " " + workload.Name + " were not carried to its pod template, so its pods do not have what they ask for"})
	}
	seen := map[types.UID]bool{}
	for pod, err := range in.Pods {
		if err != nil {
			return report, err
		}
		if seen[pod.UID] {
			continue
		}
		seen[pod.UID] = true
		faults, err := in.faults(pod)
		switch {
		case err == nil:
		case in.Odd == nil:
			return report, err
		default:
			in.Odd(pod, err)
			continue
		}
		if len(faults) == 0 && in.Sound != nil {
			in.Sound(pod)
		}
		for i := range faults {
			f := &faults[i]
			report.Findings = append(report.Findings, Finding{
				Kind: f.kind, Workload: in.Top(pod), Pod: pod.Name, PodUID: pod.UID,
				Lacks: f.lacks, Refusal: f.refusal, Message: f.message(pod.Name), spared: sparedFor(pod, f.refusal),
			})
		}
	}
	return report, nil
}
