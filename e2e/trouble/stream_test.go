// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	workers = 4
	// pace is that of one worker: all of them create ten pods in a second.
	pace = 400 * time.Millisecond
	// patience is how long a worker waits for an answer. Far more than the API server
	// waits for a webhook.
	patience = 20 * time.Second
	// enough creations have gone well before something goes wrong, and after it.
	enough = 20
)

// stream is pods that ask for credentials and are created all the time. No kubelet runs
// them, and they are deleted as soon as it is known what they have.
type stream struct {
	// app is the label of its pods.
	app     string
	pods    rest.Interface
	stop    context.CancelFunc
	stopped sync.WaitGroup

	created     atomic.Int64
	interrupted atomic.Int64 // creations that nobody answered

	mu      sync.Mutex
	refused []refusal
	bare    []string // what was stored without its credentials
}

// refusal is an answer of the API server that is no pod.
type refusal struct {
	began, ended time.Time
	err          error
}

// start starts the stream, and returns once it flows.
func (s *stream) start(t *testing.T) {
	t.Helper()
	config := rest.CopyConfig(world.Config)
	config.NextProtos = []string{"http/1.1"} // a connection of HTTP/2 outlives its server by half a minute
	clientset, err := kubernetes.NewForConfig(config)
	must(t, err)
	s.pods = clientset.CoreV1().RESTClient()
	s.app = fmt.Sprintf("stream-%d", time.Now().UnixNano())
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	t.Cleanup(s.end)
	for worker := range workers {
		s.stopped.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				s.create(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d-%d", s.app, worker, i))
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	s.flows(t)
}

// end ends the stream once what is under way has been answered.
func (s *stream) end() {
	s.stop()
	s.stopped.Wait()
}

// create creates one pod, and does so again as long as nobody answers.
func (s *stream) create(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for unanswered := false; ; unanswered = true {
		began := time.Now()
		stored, err := s.post(ctx, name)
		switch {
		case err == nil:
			s.keep(ctx, stored)
			return
		case unanswered && apierrors.IsAlreadyExists(err):
			return // it was stored, and is looked at in the end
		case answered(err) || ctx.Err() != nil:
			s.mu.Lock()
			s.refused = append(s.refused, refusal{began, time.Now(), err})
			s.mu.Unlock()
			return
		}
		s.interrupted.Add(1)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// answered says whether an error is one that the API server told, and about the pod. One
// that has just started knows no roles yet, and refuses everybody everything.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !strings.Contains(err.Error(), `cannot create resource "pods"`)
}

// post creates a pod. It never tries again by itself: a refusal that passes is one.
func (s *stream) post(ctx context.Context, name string) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": s.app}, Annotations: asking},
		Spec: corev1.PodSpec{
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "trouble.example.com/never"}},
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: new(int64(65532))},
			Containers:      []corev1.Container{{Name: "main", Image: "images.example.net/app"}},
		},
	}
	stored := &corev1.Pod{}
	err := s.pods.Post().Namespace(scene.namespace).Resource("pods").Body(pod).MaxRetries(0).Do(ctx).Into(stored)
	return stored, err
}

// keep takes a stored pod down, and has it deleted.
func (s *stream) keep(ctx context.Context, pod *corev1.Pod) {
	s.created.Add(1)
	if s.look(pod) {
		_ = world.Client.Delete(ctx, pod) // what stays is looked at once more
	}
}

// look takes down what a pod lacks.
func (s *stream) look(pod *corev1.Pod) bool {
	missing := lacks(pod)
	if missing != "" {
		s.mu.Lock()
		s.bare = append(s.bare, fmt.Sprintf("%s lacks %s", pod.Name, missing))
		s.mu.Unlock()
	}
	return missing == ""
}

// flows waits until creations have gone well again, without help.
func (s *stream) flows(t *testing.T) {
	t.Helper()
	from := s.created.Load()
	eventually(t, "more pods to be created", func(context.Context) error {
		if now := s.created.Load(); now < from+enough {
			return fmt.Errorf("%d were; refused last: %w", now-from, s.lastRefusal())
		}
		return nil
	})
}

func (s *stream) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refused)
}

func (s *stream) lastRefusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused) == 0 {
		return nil
	}
	return s.refused[len(s.refused)-1].err
}

// injected ends the stream. Whatever was stored has its credentials: what creations
// returned, and what is there although nobody was told.
func (s *stream) injected(t *testing.T) {
	t.Helper()
	s.end()
	list, of := &corev1.PodList{}, &client.ListOptions{Namespace: scene.namespace, LabelSelector: labels.SelectorFromSet(labels.Set{"app": s.app})}
	must(t, world.Client.List(t.Context(), list, of))
	for i := range list.Items {
		s.look(&list.Items[i])
	}
	for _, what := range s.bare {
		t.Errorf("a pod was stored without its credentials: %s", what)
	}
	must(t, world.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(scene.namespace), client.MatchingLabels{"app": s.app}))
	t.Logf("%d pods were created, %d creations refused, %d unanswered, %d pods were left", s.created.Load(), len(s.refused), s.interrupted.Load(), len(list.Items))
}

// allAdmitted is injected, and not one creation was refused.
func (s *stream) allAdmitted(t *testing.T) {
	t.Helper()
	s.injected(t)
	for _, refused := range s.refused {
		t.Errorf("at %s a creation failed, after %s: %v", refused.began.Format(time.TimeOnly), refused.ended.Sub(refused.began), refused.err)
	}
}

// unharmed is allAdmitted, and the API server was there all the time.
func (s *stream) unharmed(t *testing.T) {
	t.Helper()
	s.allAdmitted(t)
	if broken := s.interrupted.Load(); broken > 0 {
		t.Errorf("%d creations were not answered by the API server", broken)
	}
}
