// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// Outcome is what became of a finding that somebody tried to put right, in words; its
// beginning says which of these it is.
type Outcome string

// What may become of a finding. The first is the only one that changes anything.
const (
	// Evicted: the pod was evicted, and who controls it makes another.
	Evicted Outcome = "evicted"
	// Uncontrolled: nothing would make another pod.
	Uncontrolled Outcome = "not replaced: nothing controls the pod, so nothing would make another"
	// RunsToEnd: a Job, and whatever else runs a pod to its end, counts one that is
	// evicted as one that failed.
	RunsToEnd Outcome = "not replaced: the pod runs to its end, and counts as failed if it is evicted"
	// NotYet: a pod of the same workload was evicted a short time ago.
	NotYet Outcome = "not replaced yet: a pod of the workload was evicted a short time ago"
	// Gone: the pod is gone, or is another, or nothing is wrong with it any more.
	Gone Outcome = "nothing to do any more"
	// WouldLack: a pod like it, made just now for show, was not injected either.
	WouldLack Outcome = "not replaced: a new pod was not injected either when it was tried"
	// Refused: such a pod would be refused, or the API server did refuse it.
	Refused Outcome = "not replaced: a new pod is refused"
	// Blocked: a PodDisruptionBudget does not allow it now.
	Blocked Outcome = "not replaced yet: a PodDisruptionBudget does not allow it now"
	// Failed: the API server did not take the eviction.
	Failed Outcome = "not replaced: the eviction was refused"
)

// outcomes are the labels of the metric.
var outcomes = map[Outcome]string{Evicted: "evicted", WouldLack: "would-lack", Refused: "refused", Blocked: "blocked", Failed: "failed"}

// pacer spreads evictions over time.
type pacer interface{ Wait(context.Context) error }

// Replacer replaces pods that lack something, when a controller owns them: by the
// Eviction API, which respects PodDisruptionBudgets. It evicts nothing before a pod
// like it, created for show, came back with what it lacks.
type Replacer struct {
	Judge
	// Live reads pods without a cache, Client evicts, and creates pods for show.
	Live   client.Reader
	Client client.Client
	Clock  clock.PassiveClock
	// Patience is how long a workload is left alone after one of its pods was evicted.
	Patience time.Duration
	// Pace spreads evictions over time; nil does not.
	Pace pacer

	mu      sync.Mutex
	evicted map[types.UID]time.Time // by workload
	// futile is when a pod of a workload was last tried in vain.
	futile map[types.UID]time.Time
	// before is when another process may have evicted last.
	before time.Time
}

// Began has the replacer take for granted that a pod of each workload was evicted at a
// time, as another process may have done.
func (r *Replacer) Began(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = at
}

// maxFutile is how many pods made for show may fail one after the other before the
// rest waits for the next time: if admission is away, it is for all.
const maxFutile = 5

// Replace tries to put findings right, and notes in each what became of it. It stops
// when it goes on not to work, or when the context ends.
func (r *Replacer) Replace(ctx context.Context, report *Report) error {
	r.forget()
	futile := 0
	for _, f := range r.inTurn(report) {
		if f.spared != "" {
			f.Repair = f.spared
			continue
		}
		outcome, err := r.replace(ctx, f)
		if err != nil {
			return err
		}
		f.Repair = outcome
		switch outcome {
		case WouldLack, Refused:
			futile++
			r.noteFutile(f.Workload.UID)
		case Evicted:
			futile = 0
		}
		if futile == maxFutile {
			return nil
		}
	}
	return nil
}

// inTurn are the findings about pods. Workloads of which none was tried in vain come
// first: a few that can never be helped must not keep all others from it.
func (r *Replacer) inTurn(report *Report) (list []*Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	still := map[types.UID]time.Time{}
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Pod == "" {
			continue
		}
		list = append(list, f)
		if at, known := r.futile[f.Workload.UID]; known {
			still[f.Workload.UID] = at
		}
	}
	r.futile = still
	slices.SortStableFunc(list, func(a, b *Finding) int { return still[a.Workload.UID].Compare(still[b.Workload.UID]) })
	return list
}

func (r *Replacer) noteFutile(workload types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.futile[workload] = r.Clock.Now()
}

// sparedFor says why a pod is not replaced whatever is wrong with it; nothing for one
// that may be.
func sparedFor(pod *corev1.Pod, refusal string) Outcome {
	switch {
	case metav1.GetControllerOfNoCopy(pod) == nil:
		return Uncontrolled
	case pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure:
		return RunsToEnd
	case refusal != "":
		return Refused
	}
	return ""
}

func (r *Replacer) replace(ctx context.Context, f *Finding) (Outcome, error) {
	if !r.mayEvict(f.Workload.UID) {
		return NotYet, nil
	}
	pod, err := r.stillLacks(ctx, f)
	if err != nil || pod == nil {
		return Gone, err
	}
	if spared := sparedFor(pod, ""); spared != "" {
		return spared, nil
	}
	if outcome, err := r.rehearse(ctx, pod); err != nil || outcome != "" {
		return outcome, err
	}
	if r.Pace != nil {
		if err := r.Pace.Wait(ctx); err != nil {
			return "", fmt.Errorf("waiting for the turn of an eviction: %w", err)
		}
	}
	return r.evict(ctx, pod, f.Workload.UID)
}

// stillLacks reads a pod once more, nil if there is nothing wrong with it.
func (r *Replacer) stillLacks(ctx context.Context, f *Finding) (*corev1.Pod, error) {
	key := types.NamespacedName{Namespace: f.Workload.Namespace, Name: f.Pod}
	pod, err := readPod(ctx, r.Live, key)
	if err != nil || pod == nil || pod.UID != f.PodUID {
		return nil, err
	}
	faults, err := r.faults(pod)
	if err != nil || !slices.ContainsFunc(faults, func(one fault) bool { return one.kind == f.Kind }) {
		return nil, err
	}
	return pod, nil
}

// rehearse creates a pod like another for show, and says what is wrong with it; nothing
// if a new one would have what this one lacks.
func (r *Replacer) rehearse(ctx context.Context, pod *corev1.Pod) (Outcome, error) {
	like := rehearsal(pod)
	if err := r.Client.Create(ctx, like, client.DryRunAll); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("creating a pod like %s/%s for show: %w", pod.Namespace, pod.Name, err)
		}
		return Refused, nil
	}
	faults, err := r.faults(like)
	if err != nil {
		return "", err
	}
	if len(faults) > 0 {
		return WouldLack, nil
	}
	return "", nil
}

// rehearsal is a pod as its controller would make another: without what the API server
// and the scheduler filled in, and without our records of what it has.
func rehearsal(pod *corev1.Pod) *corev1.Pod {
	like := &corev1.Pod{Spec: *pod.Spec.DeepCopy()}
	like.Namespace, like.Labels = pod.Namespace, pod.Labels
	like.OwnerReferences = slices.Clone(pod.OwnerReferences)
	for i := range like.OwnerReferences {
		like.OwnerReferences[i].BlockOwnerDeletion = nil // some API servers ask who sets it for a right on the owner
	}
	if like.GenerateName = pod.GenerateName; like.GenerateName == "" {
		like.GenerateName = metav1.GetControllerOfNoCopy(pod).Name + "-"
	}
	like.Annotations = map[string]string{}
	for key, value := range pod.Annotations {
		if key != v1alpha1.AnnotationInjected && key != v1alpha1.AnnotationWarnings {
			like.Annotations[key] = value
		}
	}
	spec := &like.Spec
	spec.NodeName, spec.EphemeralContainers = "", nil
	spec.Priority, spec.PreemptionPolicy = nil, nil // admission fills them in from the class
	return like
}

func (r *Replacer) evict(ctx context.Context, pod *corev1.Pod, workload types.UID) (Outcome, error) {
	preconditions := &metav1.Preconditions{UID: &pod.UID}
	if !hasRun(pod) { // it may have started meanwhile, and then lacks nothing
		preconditions.ResourceVersion = &pod.ResourceVersion
	}
	eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{Preconditions: preconditions}}
	err := r.Client.SubResource("eviction").Create(ctx, pod.DeepCopy(), eviction)
	switch {
	case err == nil:
		r.note(workload)
		return Evicted, nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return Gone, nil
	case apierrors.IsTooManyRequests(err):
		return Blocked, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("evicting pod %s/%s: the API server answers: %s", pod.Namespace, pod.Name, copies.Answer(err))
	}
	return Failed, nil
}

// mayEvict says whether a workload was left alone for long enough.
func (r *Replacer) mayEvict(workload types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.evicted[workload]
	if !known {
		last = r.before
	}
	return last.IsZero() || r.Clock.Since(last) >= r.Patience
}

func (r *Replacer) note(workload types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.evicted == nil {
		r.evicted = map[types.UID]time.Time{}
	}
	r.evicted[workload] = r.Clock.Now()
}

// forget drops what need not be known any more.
func (r *Replacer) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for workload, at := range r.evicted {
		if r.Clock.Since(at) >= r.Patience {
			delete(r.evicted, workload)
		}
	}
}
