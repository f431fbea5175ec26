// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/usage/object"
)

// doctor examines the cluster from time to time. It is a part of the leader.
type doctor struct {
	Judge
	suspects
	cache     client.Reader
	feed      *feed.Feed
	uncarried func() []usage.Uncarried
	replacer  *Replacer // nil: nothing is replaced
	teller    teller
	found     *prometheus.GaugeVec
	evictions *prometheus.CounterVec
	interval  time.Duration
	settle    time.Duration
	// kicks bring an examination forward.
	kicks chan struct{}
	// problem is what was last logged of a failure.
	problem string
	// oddity is what was last logged of a pod that could not be judged.
	oddity string
}

// Start examines until the context ends. It implements manager.Runnable.
func (d *doctor) Start(ctx context.Context) error {
	d.feed.Notify(d.onFeed)
	_ = wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) { return d.ready(), nil })
	if d.replacer != nil {
		d.replacer.Began(d.replacer.Clock.Now())
	}
	for ctx.Err() == nil {
		d.round(ctx)
		d.rest(ctx)
	}
	return nil
}

// NeedLeaderElection says that only the leader examines.
func (d *doctor) NeedLeaderElection() bool { return true }

// ready says whether enough is known to judge by.
func (d *doctor) ready() bool { return d.index.Synced() && d.feed.Synced() }

// rest waits for the next round. What brings it forward is collected for a moment.
func (d *doctor) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(d.interval):
		return
	case <-d.kicks:
	}
	select {
	case <-ctx.Done():
	case <-time.After(d.settle):
	}
}

// onFeed brings the next round forward when a registry login comes, changes or is
// usable at last: pods may be waiting for it.
func (d *doctor) onFeed(change feed.Change) {
	after, ok := change.After.(*v1alpha1.Credential)
	if !ok || after.Spec.Type != v1alpha1.DockerRegistry {
		return
	}
	if before, known := change.Before.(*v1alpha1.Credential); known && sameLogin(before, after) {
		return
	}
	select {
	case d.kicks <- struct{}{}:
	default:
	}
}

// sameLogin says whether a registry login serves the same as before, as far as pods
// that wait for it are concerned.
func sameLogin(before, after *v1alpha1.Credential) bool {
	was, is := catalog.NewEntry(before), catalog.NewEntry(after)
	return was.Problem == is.Problem && was.KeysKnown == is.KeysKnown && was.SourceMissing == is.SourceMissing &&
		was.Scope == is.Scope && slices.Equal(before.Status.Registries, after.Status.Registries)
}

// round examines once, tells what it finds, and has it put right where that is asked
// for.
func (d *doctor) round(ctx context.Context) {
	if !d.ready() {
		return
	}
	if what, err := d.attend(ctx); err != nil {
		d.failed(ctx, what, err)
		return
	}
	d.problem = ""
}

// attend is a round. With an error comes what could not be done.
func (d *doctor) attend(ctx context.Context) (what string, err error) {
	report, err := d.examine(ctx)
	if err != nil {
		return "Could not examine the cluster", err
	}
	for _, kind := range Kinds {
		d.found.WithLabelValues(string(kind)).Set(float64(report.Count(kind)))
	}
	d.teller.findings(&report)
	if d.replacer == nil || !d.ready() {
		return "", nil
	}
	err = d.replacer.Replace(ctx, &report)
	d.teller.repairs(&report)
	for i := range report.Findings {
		f := &report.Findings[i]
		if label, ok := outcomes[f.Repair]; ok {
			d.evictions.WithLabelValues(label).Inc()
		}
		if f.Repair == Evicted {
			log.FromContext(ctx).Info("Evicted a pod that lacked something", "workload", f.Workload.String(), "pod", f.Pod, "lacked", f.Lacks)
		}
	}
	return "Could not replace pods", err
}

// failed logs a failure, once while it stays the same.
func (d *doctor) failed(ctx context.Context, what string, err error) {
	if problem := err.Error(); problem != d.problem && ctx.Err() == nil {
		d.problem = problem
		log.FromContext(ctx).Info(what, "problem", problem)
	}
}

func (d *doctor) examine(ctx context.Context) (Report, error) {
	waiting, err := d.waiting(ctx)
	if err != nil {
		return Report{}, err
	}
	in := Input{Judge: d.Judge, Pods: concat(d.pods(ctx), waiting), Top: d.top, Sound: d.inOrder, Odd: d.odd(ctx)}
	if d.uncarried != nil {
		in.Uncarried = inProjects(d.uncarried(), d.Catalog)
	}
	return Examine(in)
}

// odd takes note that a pod could not be judged. The first one of a round is logged,
// if it is another than before.
func (d *doctor) odd(ctx context.Context) func(*corev1.Pod, error) {
	first := true
	return func(_ *corev1.Pod, err error) {
		if problem := err.Error(); first && problem != d.oddity {
			d.oddity = problem
			log.FromContext(ctx).Info("Could not judge a pod", "problem", problem)
		}
		first = false
	}
}

// waiting are the pods that may have not run yet. They are listed only where there is
// a registry login that one might lack.
func (d *doctor) waiting(ctx context.Context) (iter.Seq2[*corev1.Pod, error], error) {
	var list v1alpha1.CredentialList
	if err := d.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Credentials: %w", err)
	}
	for i := range list.Items {
		if list.Items[i].Spec.Type == v1alpha1.DockerRegistry {
			return listPods(ctx, d.live, pending), nil
		}
	}
	return func(func(*corev1.Pod, error) bool) {}, nil
}

// top finds the workload at the top in the index.
func (d *doctor) top(pod *corev1.Pod) Workload {
	owner := object.Controller(pod)
	if owner == nil {
		return itself(pod)
	}
	return workloadOf(d.index.Top(pod.Namespace, *owner))
}

func workloadOf(w usage.Workload) Workload {
	return Workload{APIVersion: w.APIVersion, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID}
}

func concat(all ...iter.Seq2[*corev1.Pod, error]) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		for _, one := range all {
			for pod, err := range one {
				if !yield(pod, err) {
					return
				}
			}
		}
	}
}

// inProjects are the workloads in projects.
func inProjects(all []usage.Uncarried, known *catalog.Catalog) (list []Workload) {
	for _, u := range all {
		if place, _ := known.Place(u.Namespace); place.IsProject() {
			version := u.Group
			if kind, ok := workload.KindOf(u.Group+"/", u.Kind); ok {
				version = kind.APIVersion()
			}
			list = append(list, Workload{Kind: u.Kind, APIVersion: version, Namespace: u.Namespace, Name: u.Name, UID: u.UID})
		}
	}
	return list
}
