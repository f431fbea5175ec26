// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	system = "credence-credentials"
	// rounds is how often a store writes, once a second.
	rounds = 8
)

// stores are external stores, by how they write the same values again.
var stores = map[string]struct {
	// write begins with the Secret that was written last, and leaves there what it writes.
	write func(ctx context.Context, c client.Client, secret *corev1.Secret, round int) error
	// removes says that there is no Secret between two writes, which the status may tell.
	removes bool
}{
	"rewrites": {write: func(ctx context.Context, c client.Client, secret *corev1.Secret, _ int) error {
		return c.Update(ctx, secret)
	}},
	"restamps": {write: func(ctx context.Context, c client.Client, secret *corev1.Secret, round int) error {
		secret.Annotations = map[string]string{"store.example.com/synced": fmt.Sprint(round)}
		secret.Labels["store.example.com/round"] = fmt.Sprint(round)
		return c.Update(ctx, secret)
	}},
	"recreates": {removes: true, write: func(ctx context.Context, c client.Client, secret *corev1.Secret, _ int) error {
		if err := c.Delete(ctx, secret); err != nil {
			return err
		}
		*secret = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name, Labels: secret.Labels}, Data: secret.Data}
		return c.Create(ctx, secret)
	}},
}

// TestStoresThatKeepWriting: a store may write the same values as often as it likes.
// That costs no write of a copy, takes none away, and bounds what the controller does.
// A value that changed is in every copy.
func TestStoresThatKeepWriting(t *testing.T) {
	projects := []string{"store-one", "store-two"}
	for _, name := range projects {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			v1alpha1.LabelProject: name, v1alpha1.LabelDepartment: "stores",
		}}})
	}
	for name, of := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{T: t, name: "store-" + name, projects: projects}
			s.begin()
			events := s.watchCopies()
			before := s.asked()
			s.everySecond(func(round int) error { return of.write(t.Context(), cluster.Client(), s.source, round) })
			// The next change is handled after all that came before it.
			s.changes("changed")
			s.bounds(s.asked().since(before), of.removes)
			for event := range events() {
				s.judge(event)
			}
		})
	}
}

// TestStoreThatChanges: values that change every second are in each copy, each time.
func TestStoreThatChanges(t *testing.T) {
	projects := []string{"store-three", "store-four"}
	for _, name := range projects {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			v1alpha1.LabelProject: name, v1alpha1.LabelDepartment: "changes",
		}}})
	}
	s := &store{T: t, name: "store-changes", department: "changes", projects: projects}
	s.begin()
	before := s.asked()
	s.everySecond(func(round int) error {
		s.changes(fmt.Sprintf("changed-%d", round))
		return nil
	})
	if writes := s.asked().since(before).copies; writes != rounds*len(projects) {
		t.Errorf("%d changes took %d writes of %d copies", rounds, writes, len(projects))
	}
}

// store is an external store that writes one Secret, the source of one credential.
type store struct {
	*testing.T
	name, department string
	projects         []string
	source           *corev1.Secret
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.Client().Create(t.Context(), object); err != nil {
		t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
	}
}

func (s *store) copyName() string { return "genericsecret-" + s.name }

func (s *store) begin() {
	s.Helper()
	if s.department == "" {
		s.department = "stores"
	}
	s.source = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: s.name, Labels: map[string]string{
			v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceDepartment: s.department,
		}},
		Data: map[string][]byte{"token": []byte("not-a-secret")},
	}
	create(s.T, s.source)
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: s.name}}
	c.Spec.Type, c.Spec.SecretRef.Name = v1alpha1.Generic, s.name
	c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: s.department}
	create(s.T, c)
	s.hold("not-a-secret")
}

// changes writes another value and waits for the copies.
func (s *store) changes(value string) {
	s.Helper()
	s.source.Data = map[string][]byte{"token": []byte(value)}
	if err := cluster.Client().Update(s.Context(), s.source); err != nil {
		s.Fatal(err)
	}
	s.hold(value)
}

// hold waits until each copy has a value, and the status says so.
func (s *store) hold(value string) {
	s.Helper()
	err := local.Poll(s.Context(), "the copies", func(ctx context.Context) (bool, error) {
		for _, project := range s.projects {
			found := &corev1.Secret{}
			err := cluster.Client().Get(ctx, client.ObjectKey{Namespace: project, Name: s.copyName()}, found)
			if client.IgnoreNotFound(err) != nil || apierrors.IsNotFound(err) || string(found.Data["token"]) != value {
				return false, client.IgnoreNotFound(err)
			}
		}
		c := &v1alpha1.Credential{}
		err := cluster.Client().Get(ctx, client.ObjectKey{Namespace: system, Name: s.name}, c)
		return c.Status.State == v1alpha1.StateNoIssuesFound && int(c.Status.Namespaces.Ready) == len(s.projects), err
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *store) everySecond(write func(round int) error) {
	s.Helper()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for round := range rounds {
		<-ticker.C
		if err := write(round); err != nil {
			s.Fatal(err)
		}
	}
}

// watchCopies follows the copies. What it returns ends the watch and gives what there
// was up to the last change.
func (s *store) watchCopies() func() <-chan watch.Event {
	s.Helper()
	copies := &corev1.SecretList{}
	labelled := client.MatchingLabels{v1alpha1.LabelCopyOf: s.name}
	if err := cluster.Client().List(s.Context(), copies, labelled); err != nil {
		s.Fatal(err)
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: copies.ResourceVersion}}
	events, err := cluster.Client().Watch(s.Context(), copies, labelled, from)
	if err != nil {
		s.Fatal(err)
	}
	return func() <-chan watch.Event {
		all := make(chan watch.Event, 1000)
		defer close(all)
		defer events.Stop()
		latest := map[string]bool{}
		for len(latest) < len(s.projects) {
			select {
			case event := <-events.ResultChan():
				all <- event
				if secret, ok := event.Object.(*corev1.Secret); ok && string(secret.Data["token"]) == "changed" {
					latest[secret.Namespace] = true
				}
			case <-s.Context().Done():
				s.Error(errors.New("the change is not seen"))
				return all
			}
		}
		return all
	}
}

// judge takes nothing but the change of the value.
func (s *store) judge(event watch.Event) {
	secret, ok := event.Object.(*corev1.Secret)
	if !ok || event.Type != watch.Modified || string(secret.Data["token"]) != "changed" {
		s.Errorf("a copy was %s", event.Type)
	}
}

// bounds holds what the controller asked for against the number of writes of the store.
func (s *store) bounds(asked requests, removes bool) {
	s.Logf("%+v", asked)
	if want := len(s.projects); asked.copies != want {
		s.Errorf("copies were written %d times, want %d: once each, for the change", asked.copies, want)
	}
	// Some may come of what was left from the beginning. A source that goes and comes is
	// two reasons to look.
	reads, statuses := 2*(rounds+1)+4, 4
	if removes {
		reads, statuses = 4*(rounds+1)+4, 2*(rounds+1)+4
	}
	if asked.reads > reads || asked.statuses > statuses {
		s.Errorf("%d writes of the store took %d reads and %d writes of the status, at most %d and %d are expected",
			rounds, asked.reads, asked.statuses, reads, statuses)
	}
}
