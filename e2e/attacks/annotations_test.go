// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// isOneLine says what is wrong with a message for people.
func isOneLine(message string) error {
	switch {
	case len(message) > 2048:
		return fmt.Errorf("it has %d bytes", len(message))
	case strings.ContainsFunc(message, unicode.IsControl):
		return fmt.Errorf("there are control characters in %q", message)
	}
	return nil
}

// TestHostileAnnotations: what a tenant writes is data. It gets no pod anything but what
// it says, and what is said of it is one short line.
func TestHostileAnnotations(t *testing.T) {
	ofCluster(t, "openai")
	tenant, large := as(t, tenant), strings.Repeat("a,", 60<<10)
	mount := func(value string) []string { return []string{v1alpha1.AnnotationMountPrefix + "x", value} }
	env := func(value string) []string { return []string{v1alpha1.AnnotationEnvPrefix + "X", value} }
	lines := func(value string) []string { return []string{v1alpha1.AnnotationEnv, value} }
	names := func(value string) []string { return []string{v1alpha1.AnnotationCredentials, value} }
	for name, annotations := range map[string][]string{
		"over the account's token":     mount("openai:/var/run/secrets/kubernetes.io/serviceaccount"),
		"over it by a link":            mount("openai:/run"),
		"over the root":                mount("openai:/"),
		"over the root, not so plain":  mount("openai://./"),
		"into the kernel's files":      mount("openai:/proc/self"),
		"up":                           mount("openai:/keys/../../etc"),
		"two paths":                    mount("openai:/a:/b"),
		"a line within a path":         mount("openai:/a\n/b"),
		"nothing within a path":        mount("openai:/a\x00b"),
		"a file up":                    mount("openai:/a;keys=api-key=../../etc/passwd"),
		"a file from the root":         mount("openai:/a;keys=api-key=/etc/passwd"),
		"setuid":                       mount("openai:/a;mode=4755"),
		"an option twice":              mount("openai:/a;mode=0400;mode=0777"),
		"an unknown option":            mount("openai:/a;subPath=../b"),
		"a container that is not":      mount("openai:/a;containers=main,other"),
		"a Secret's name":              mount("team-b/genericsecret-openai:/a"),
		"another namespace":            env("team-b/openai/api-key"),
		"a key up":                     env("openai/../api-key"),
		"a key that is not":            env("openai/.dockerconfigjson"),
		"a value and a reference":      lines("A=B=openai/api-key"),
		"a second line within":         lines("A=openai/api-key\r\rB=openai/api-key"),
		"a name of no variable":        lines("LD_PRELOAD\x1b[2J=openai/api-key"),
		"a path for a name":            names("../../kube-system/openai"),
		"capitals":                     names("OpenAI"),
		"letters that look alike":      names("opena\u0456"),
		"wide letters":                 names("\uff4fpenai"),
		"another direction":            names("openai\u202e"),
		"very many":                    names(large),
		"a very long one":              names(strings.Repeat("a", 200<<10)),
		"a terminal's words":           names("openai\x1b]0;hello\x07"),
		"the domain in capitals":       {"Credence.DEV/credentials", "openai"},
		"a domain below it":            {"x.credence.dev/credentials", "openai"},
		"what only Credence writes":    {"credence.dev/copy-of", "openai"},
		"everything at once":           {v1alpha1.AnnotationInject, "true\nfalse"},
		"an environment by two names":  {v1alpha1.AnnotationEnvironment, "a, b"},
		"a template of another's path": {v1alpha1.AnnotationTemplate, "team-b/train"},
	} {
		err := tenant.Create(t.Context(), pod("hostile", annotations...))
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %.300v", name, err)
			continue
		}
		if err := isOneLine(err.Error()); err != nil {
			t.Errorf("%s: of the refusal %v", name, err)
		}
	}
}

// controlledBy gives a pod a reference to a controller, as whoever may create it can.
func controlledBy(p *corev1.Pod, apiVersion, kind, name string) *corev1.Pod {
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: "b1d5c5a8-7c5f-4a86-9d3b-000000000000", Controller: new(true)}}
	return p
}

// TestForgedOwners: a pod says that it belongs to something that no object can be called.
// A credential of the cluster is the same for all others as without it: its status can be
// written, new projects get it, and who deletes it reads one plain line.
func TestForgedOwners(t *testing.T) {
	shared := ofCluster(t, "shared")
	tenant := as(t, tenant)
	for name, words := range map[string]string{"long": strings.Repeat("K", 2000), "words": "Deployment\x1b[2J\nis not in use"} {
		forged := controlledBy(pod(name, v1alpha1.AnnotationCredentials, "shared"), "example.com/v1", words, words)
		if err := tenant.Create(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
	}
	found := &v1alpha1.Credential{}
	poll(t, "the status counts both", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(shared), found)
		if err == nil && found.Status.UsedBy.Total != 2 {
			err = fmt.Errorf("it says %+v", found.Status.UsedBy)
		}
		return err
	})
	for i, want := range []string{"Pod team-a/long", "Pod team-a/words"} {
		if names := found.Status.UsedBy.Names; len(names) != 2 || names[i] != want {
			t.Errorf("the users are %q", names)
		}
	}
	made(t, project("team-late", "research"))
	copyOf(t, "team-late", "shared")
	err := cluster.Client().Delete(t.Context(), shared.DeepCopy())
	if !apierrors.IsForbidden(err) {
		t.Fatalf("it is deleted: %v", err)
	}
	if err := isOneLine(err.Error()); err != nil {
		t.Errorf("of the refusal %v", err)
	}
}

// TestForgedWarnings: the controller repeats what it finds on a pod as an event. What
// somebody else wrote there is told in the pod's own namespace, as what was said of that
// workload, and cut.
func TestForgedWarnings(t *testing.T) {
	ofCluster(t, "warned")
	forged := controlledBy(pod("forged", v1alpha1.AnnotationCredentials, "warned",
		v1alpha1.AnnotationWarnings, `["`+strings.Repeat("all is well ", 10_000)+`", "\u001b[2Jsecond\nline"]`), "example.com/v1", "App", "shop")
	if err := as(t, tenant).Create(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	events := &eventsv1.EventList{}
	poll(t, "it is told", func(ctx context.Context) error {
		if err := cluster.Client().List(ctx, events); err != nil {
			return err
		}
		events.Items = append([]eventsv1.Event{}, events.Items...)
		told := 0
		for i := range events.Items {
			event := &events.Items[i]
			if event.Reason != "InjectionWarning" {
				continue
			}
			told++
			if event.Namespace != teamA || event.Regarding.Name != "shop" || !strings.HasPrefix(event.Note, "its pods were injected with warnings: ") || isOneLine(event.Note) != nil {
				t.Errorf("the event is about %s/%s, %q", event.Namespace, event.Regarding.Name, event.Note)
			}
		}
		if told == 0 {
			return errors.New("there is no event")
		}
		return nil
	})
}
