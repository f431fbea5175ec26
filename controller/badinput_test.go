// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

var errNotYet = errors.New("not yet")

// says returns why there is no event of a credential with all of these words, the
// type and reason being the first.
func (w *world) says(c *v1alpha1.Credential, words ...string) error {
	w.Helper()
	var others []string
	for _, event := range w.eventsIn(c.Namespace) {
		if event.Regarding.Name != c.Name {
			continue
		}
		line, found := event.Type+" "+event.Reason+": "+event.Note, true
		for _, word := range words {
			found = found && strings.Contains(line, word)
		}
		if found {
			return nil
		}
		others = append(others, line)
	}
	return fmt.Errorf("no event of %s says %q, there is only\n%s", c.Name, words, strings.Join(others, "\n"))
}

// TestBadSources: what, where and how to mend it, in a condition and in an event.
func TestBadSources(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	system := w.layout.SystemNamespace
	labelled := func(labels map[string]string, data map[string]string, of corev1.SecretType) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Labels: labels}, Data: bytes(data), Type: of}
	}
	generic := map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"}
	docker := map[string]string{v1alpha1.LabelSourceType: "docker-registry", v1alpha1.LabelSourceClusterWide: "true"}
	some := map[string]string{"api-key": "not-a-secret"}
	config := func(text string) *corev1.Secret {
		return labelled(docker, map[string]string{corev1.DockerConfigJsonKey: text}, corev1.SecretTypeDockerConfigJson)
	}
	for name, test := range map[string]struct {
		secret  *corev1.Secret
		of      v1alpha1.CredentialType
		reason  string
		message string // with <s> for the Secret
	}{
		"missing": {nil, v1alpha1.Generic, v1alpha1.ReasonSourceMissing,
			"Secret <s> does not exist; create it there, in the namespace of the Credential: no Secret of another namespace is read"},
		"unlabelled": {labelled(nil, some, ""), v1alpha1.Generic, v1alpha1.ReasonSourceNotAuthorized,
			"Secret <s> has no label run.ai/resource; label it run.ai/resource=generic and run.ai/cluster-wide=true to authorize it for a credential of type generic"},
		"labelled-for-another-type": {labelled(docker, some, ""), v1alpha1.Generic, v1alpha1.ReasonSourceNotAuthorized,
			"Secret <s> is labelled run.ai/resource=docker-registry; label it run.ai/resource=generic to authorize it for a credential of type generic"},
		"labelled-too-narrow": {labelled(map[string]string{v1alpha1.LabelSourceType: "generic"}, some, ""), v1alpha1.Generic, v1alpha1.ReasonSourceNotAuthorized,
			"Secret <s> is not authorized for the cluster; label it run.ai/cluster-wide=true"},
		"wrong-type": {labelled(docker, some, corev1.SecretTypeOpaque), v1alpha1.DockerRegistry, v1alpha1.ReasonSourceInvalid,
			"Secret <s> has the type Opaque, and a credential of type docker-registry needs kubernetes.io/dockerconfigjson; make it again with that type"},
		"empty": {labelled(generic, nil, ""), v1alpha1.Generic, v1alpha1.ReasonSourceInvalid,
			"Secret <s> has no keys; put the values into it"},
		"no-docker-config": {config(`{"auths":{"r.example.com":{"auth":"bm90LWE="}}}`), v1alpha1.DockerRegistry, v1alpha1.ReasonSourceInvalid,
			`key .dockerconfigjson of Secret <s> has an "auth" that is not the base64 of <user>:<password>; make the Secret again with kubectl create secret docker-registry`},
		"no-registry": {config(`{"auths":{}}`), v1alpha1.DockerRegistry, v1alpha1.ReasonSourceInvalid,
			`key .dockerconfigjson of Secret <s> has no registry in "auths" that an image could come from; add one with its login`},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, Client: w.Client, layout: w.layout}
			if test.secret != nil {
				test.secret.Name = name
				w.must(w.Create(w.Context(), test.secret))
			}
			c := w.credential(system, name, test.of, clusterScope)
			status := w.because(c, test.reason)
			want := strings.ReplaceAll(test.message, "<s>", system+"/"+name)
			if r := ready(status); r.Message != want || r.Status != metav1.ConditionFalse || status.State != v1alpha1.StateIssuesFound {
				t.Errorf("state %s, Ready %+v, want the message\n%s", status.State, r, want)
			}
			w.eventually("it is told", func() error { return w.says(c, "Warning "+test.reason+": "+want) })
			if found := w.copiesIn(a); len(found) > 0 {
				t.Errorf("there are copies: %v", found)
			}
		})
	}
}

// TestSourceElsewhere: whether another namespace has a Secret of that name is
// nobody's business, so it changes nothing.
func TestSourceElsewhere(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	w.source(a, "key", kinds[v1alpha1.Generic], clusterScope)
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	message := ready(w.because(c, v1alpha1.ReasonSourceMissing)).Message
	if want := "Secret " + c.Namespace + "/key does not exist"; !strings.HasPrefix(message, want) || strings.Contains(message, a) {
		t.Errorf("Ready says: %s", message)
	}
	if reads := w.sent.reads("/api/v1/namespaces/" + a + "/secrets/key"); reads > 0 {
		t.Errorf("the other one was read %d times", reads)
	}
}

// TestAnotherProblem: what is wrong next is told too, although the reason is the
// same.
func TestAnotherProblem(t *testing.T) {
	w := newWorld(t)
	w.run()
	source := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "key"}, Data: bytes(kinds[v1alpha1.Generic].data)}
	w.must(w.Create(w.Context(), source))
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	w.eventually("the label is missed", func() error { return w.says(c, "Warning SourceNotAuthorized", "has no label") })
	w.relabel(source, v1alpha1.LabelSourceType, "password")
	w.eventually("it is the wrong one", func() error {
		return w.says(c, "Warning SourceNotAuthorized", "is labelled run.ai/resource=password")
	})
}

func TestDepartmentThatNobodyHas(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "sales")
	w.run()
	w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], researchScope)
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, researchScope)
	status := w.because(c, v1alpha1.ReasonNoProject)
	want := `no project has the department "research"; label the namespaces of its projects ` + w.layout.DepartmentLabel + "=research, or "
	if r := ready(status); !strings.HasPrefix(r.Message, want) || r.Status != metav1.ConditionFalse || status.State != v1alpha1.StateIssuesFound {
		t.Errorf("state %s, Ready %+v", status.State, r)
	}
	w.eventually("it is told", func() error { return w.says(c, "Warning NoProject: "+want) })
	w.relabel(w.namespaceNamed(a), w.layout.DepartmentLabel, "research")
	w.spread(c, 1)
	w.must(w.Delete(w.Context(), w.namespaceNamed(a))) // and the last one goes
	w.because(c, v1alpha1.ReasonNoProject)
}

// TestTwoOfOneKubernetesName: the source of a project's credential may have the
// name that a copy would have.
func TestTwoOfOneKubernetesName(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.project("b", "")
	w.run()
	mine := w.source(a, "genericsecret-key", kinds[v1alpha1.Generic], projectScope)
	own := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "own"},
		Spec: v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: projectScope, SecretRef: v1alpha1.SecretReference{Name: mine.Name}}}
	w.must(w.Create(w.Context(), own))
	w.spread(own, 1)

	wide := w.generic("key")
	status := w.status(wide, "taken", func(s v1alpha1.CredentialStatus) bool { return s.Namespaces.Ready == 1 && len(s.TakenNamespaces) == 1 })
	if r := ready(status); r.Reason != v1alpha1.ReasonNamespaceIssues || status.Issues[0].Reason != v1alpha1.IssueNameTaken ||
		r.Message != "1 issue, the first NameTaken in namespace "+a+"; status.issues tells what stands in the way and how to mend it" {
		t.Errorf("the status is %+v", status)
	}
	w.eventually("it is told", func() error {
		return w.says(wide, "Warning NamespaceIssues: 1 issue, ", "Secret genericsecret-key is the source of Credential "+a+"/own there, and is left as it is")
	})
	if got := w.secret(a, mine.Name); got.UID != mine.UID || got.ResourceVersion != mine.ResourceVersion {
		t.Error("the project's Secret was touched")
	}
}

// TestLeavesWhilePodsRun: the copy goes, and whoever is left without is named.
func TestLeavesWhilePodsRun(t *testing.T) {
	department := func(w *world) string { return w.layout.DepartmentLabel }
	for name, move := range map[string]struct {
		label      func(*world) string
		value, why string
	}{
		"to another department": {department, "sales", "=research any more"},
		"to none":               {department, "", "=research any more"},
		"out of the projects":   {func(w *world) string { return w.layout.ProjectLabel }, "", "no project any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.project("a", "research")
			w.project("b", "research")
			w.run()
			w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], researchScope)
			c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, researchScope)
			w.spread(c, 2)
			w.deployment(a, "web", "key")
			w.pod(a, "direct", "genericsecret-key", nil)
			w.usedBy(c, "Deployment "+a+"/web", "Pod "+a+"/direct")
			w.relabel(w.namespaceNamed(a), move.label(w), move.value)
			w.leftBehind(c, a, "1 workload there still refers to it, Pod "+a+"/direct") // web has no pod
			w.usedBy(c)
			w.eventually("it is told", func() error {
				return w.says(c, "Warning Withdrawn: withdrew the copy from "+a, move.why,
					"2 workloads there still refer to it: Deployment "+a+"/web, Pod "+a+"/direct")
			})
		})
	}
}
