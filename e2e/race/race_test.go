// SPDX-License-Identifier: Apache-2.0

package race

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	systemNamespace = "credence-credentials"
	credentials     = 6
	podMakers       = 10
	deployers       = 2
	// within bounds what hangs; nothing waits for it.
	within = time.Minute
)

// allowed is what the log may show. A pod of the moment was stored between a list of
// pods and the deletion that followed it at once: the machine may be busy.
var allowed = limits{moment: 2 * time.Second, back: 5 * time.Second, pending: 20 * time.Second, past: 10 * time.Second}

// race is one: who comes and goes, and what was refused.
type race struct {
	*testing.T
	client   client.Client
	projects []string
	// wanted are the credentials that pods are made for now.
	wanted [credentials]atomic.Bool
	serial atomic.Int64

	mu       sync.Mutex
	refusals []refusal
	outages  []span

	deleted, injected, direct, refused atomic.Int64
}

// TestNothingInUseGoes races everything against everything, and then reads the log.
func TestNothingInUseGoes(t *testing.T) {
	r := &race{T: t, client: cluster.Client()}
	slowAdmission(t)
	for i := range 3 {
		r.projects = append(r.projects, project(t, fmt.Sprintf("race-%d", i), i > 0))
	}
	watching, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	log := &recorder{T: t}
	log.record(watching, cluster.Client())

	racing, stop := context.WithTimeout(t.Context(), *raceFor)
	defer stop()
	var all sync.WaitGroup
	for i := range credentials {
		all.Go(func() { r.comeAndGo(racing, i) })
	}
	for range podMakers {
		all.Go(func() { r.makePods(racing) })
	}
	for range deployers {
		all.Go(func() { r.deploy(racing) })
	}
	all.Go(func() { r.killWebhook(racing) })
	all.Go(func() { r.restartController(racing) })
	all.Wait()
	r.tidy()
	r.judge(log.soFar())
}

// judge reads the log.
func (r *race) judge(log []event) {
	removed := 0
	for _, e := range log {
		if e.kind == aCopy && e.gone {
			removed++
		}
	}
	refuses, err := refusing(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	r.Logf("%d events; %d credentials deleted, %d deletions refused, %d copies removed, %d pods injected, %d others, %d pods refused, %d times without a controller",
		len(log), r.deleted.Load(), len(r.refusals), removed, r.injected.Load(), r.direct.Load(), r.refused.Load(), len(r.outages))
	for _, wrong := range check(story{log, r.refusals, r.outages}, allowed) {
		r.Error(wrong)
	}
	for what, count := range map[string]int{"credential was deleted": int(r.deleted.Load()), "copy was removed": removed,
		"pod was injected": int(r.injected.Load()), "pod named a Secret itself": int(r.direct.Load()), "controller ended": len(r.outages)} {
		if count == 0 {
			r.Errorf("no %s: there was no race", what)
		}
	}
	if refuses && len(r.refusals) == 0 {
		r.Error("no deletion was refused: there was no race")
	}
	if !refuses && len(r.refusals) > 0 {
		r.Errorf("deletions were refused, and nobody is there to: %s", r.refusals[0].answer)
	}
}

// pause waits for at most a time, and says whether the race goes on.
func pause(ctx context.Context, most time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(rand.Int64N(int64(most)))):
		return true
	}
}

func nameOf(i int) string { return fmt.Sprintf("key-%d", i) }

// comeAndGo makes a credential and deletes it, again and again. Some of the times it is
// deleted in the middle of its use, at others when nobody has needed it for a moment;
// and then pods that name it come again.
func (r *race) comeAndGo(ctx context.Context, i int) {
	source := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: nameOf(i),
			Labels: map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"}},
		StringData: map[string]string{"token": "not-a-secret"},
	}
	if err := r.client.Create(r.Context(), source); err != nil {
		r.Error(err)
		return
	}
	for ctx.Err() == nil {
		c := credentialNamed(nameOf(i))
		if i == 0 {
			c.Spec.Propagation = v1alpha1.PropagateOnDemand
		}
		if err := r.client.Create(ctx, c); err != nil {
			pause(ctx, time.Second) // the webhook is away, or the last one is still there
			continue
		}
		r.wanted[i].Store(true)
		pause(ctx, 6*time.Second)
		r.wanted[i].Store(rand.IntN(3) == 0)
		pause(ctx, 3*time.Second)
		for ctx.Err() == nil && !r.delete(ctx, c) {
			r.wanted[i].Store(false)
			pause(ctx, time.Second)
		}
		pause(ctx, time.Second)
		r.wanted[i].Store(rand.IntN(3) > 0)
		pause(ctx, 6*time.Second)
		r.wanted[i].Store(false)
	}
}

// delete deletes a credential, and says whether that was not refused.
func (r *race) delete(ctx context.Context, c *v1alpha1.Credential) bool {
	from := time.Now()
	err := r.client.Delete(ctx, c)
	if err == nil {
		r.deleted.Add(1)
	}
	if isRefusal(err) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refusals = append(r.refusals, refusal{secret: copyName(c.Name), from: from, to: time.Now(), answer: err.Error()})
		return false
	}
	return client.IgnoreNotFound(err) == nil
}

// isRefusal says whether somebody said no, rather than that nobody answered.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err)
}

// any returns a credential that pods are made for now.
func (r *race) any() (int, bool) {
	i := rand.IntN(credentials)
	return i, r.wanted[i].Load()
}

func (r *race) makePods(ctx context.Context) {
	for ctx.Err() == nil {
		i, ok := r.any()
		if !ok {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		pod := podNamed(r.projects[rand.IntN(len(r.projects))], fmt.Sprintf("pod-%d", r.serial.Add(1)))
		count := &r.direct
		if rand.IntN(2) == 0 {
			pod.Annotations = map[string]string{v1alpha1.AnnotationCredentials: nameOf(i)}
			count = &r.injected
		} else {
			pod.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: copyName(nameOf(i))}}}}
		}
		if err := r.client.Create(ctx, pod); err != nil {
			r.refused.Add(1)
			pause(ctx, 200*time.Millisecond)
			continue
		}
		count.Add(1)
		pause(ctx, 2*time.Second)
		r.end(pod)
	}
}

// end ends a pod: it runs to its end, or is deleted.
func (r *race) end(pod *corev1.Pod) {
	if rand.IntN(2) == 0 {
		pod.Status.Phase = corev1.PodSucceeded
		_ = r.client.Status().Update(r.Context(), pod) // if not, tidy deletes it
		return
	}
	_ = r.client.Delete(r.Context(), pod, client.GracePeriodSeconds(0))
}

// deploy makes Deployments, takes pods from them, and deletes them.
func (r *race) deploy(ctx context.Context) {
	for ctx.Err() == nil {
		i, ok := r.any()
		if !ok {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		d := deploymentNamed(r.projects[rand.IntN(len(r.projects))], fmt.Sprintf("web-%d", r.serial.Add(1)), nameOf(i))
		if err := r.client.Create(ctx, d); err != nil {
			pause(ctx, time.Second)
			continue
		}
		for range 3 {
			pause(ctx, 2*time.Second)
			pods := &corev1.PodList{}
			err := r.client.List(r.Context(), pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels))
			if err == nil && len(pods.Items) > 0 {
				r.injected.Add(1)
				r.end(&pods.Items[rand.IntN(len(pods.Items))])
			}
		}
		_ = r.client.Delete(r.Context(), d, client.PropagationPolicy(metav1.DeletePropagationBackground))
	}
}

// killWebhook kills the webhook and brings it back, again and again.
func (r *race) killWebhook(ctx context.Context) {
	for pause(ctx, 12*time.Second) {
		webhook.Kill()
		pause(ctx, 2*time.Second)
		if err := startWebhook(r.Context()); err != nil {
			r.Error(err)
			return
		}
	}
}

// shortRun is how long a race is at most in which the controller always ends in order.
// One that is killed cannot give up its Lease, and the next waits until that is over.
const shortRun = 30 * time.Second

// restartController ends the controller, in order or at once, and brings it back, again
// and again.
func (r *race) restartController(ctx context.Context) {
	for most := 3 * time.Second; pause(ctx, most); most = 30 * time.Second {
		from := time.Now()
		if *raceFor > shortRun && rand.IntN(2) == 0 {
			controller.Kill()
		} else {
			controller.Stop()
		}
		pause(ctx, 2*time.Second)
		if err := startController(r.Context()); err != nil {
			r.Error(err)
			return
		}
		r.outages = append(r.outages, span{from, time.Now()})
	}
}
