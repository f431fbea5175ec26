// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// history is a small world in which events happen as bytes say, four for each
// event. It knows what there is, in the plainest way.
type history struct {
	index *Index
	now   map[object.ID]metav1.Object
	told  map[string]bool
}

func newHistory() *history {
	h := &history{index: NewIndex(), now: map[object.ID]metav1.Object{}, told: map[string]bool{}}
	h.index.Notify(func(c Change) {
		for _, name := range c.Credentials {
			h.told[c.Namespace+"/credential/"+name] = true
		}
		for _, name := range c.Secrets {
			h.told[c.Namespace+"/secret/"+name] = true
		}
		for _, asset := range c.Assets {
			h.told[c.Namespace+"/"+asset.Kind+"/"+asset.Name] = true
		}
	})
	return h
}

// event makes one thing happen: an object is set, as it was or changed, or
// removed, or all of its kind are listed.
func (h *history) event(t *testing.T, choice []byte) {
	made := objectOf(choice)
	read := readAny(t, made)
	switch choice[0] >> 5 {
	case 0, 1:
		delete(h.now, read.ID())
		h.index.Remove(read)
	case 2:
		h.now[read.ID()] = made
		var list []object.Object
		for one, now := range h.now {
			if one.Kind != read.ID().Kind {
				continue
			}
			if choice[1]>>6 == 1 && one.Name == "o0" { // what the watch missed
				delete(h.now, one)
				continue
			}
			list = append(list, readAny(t, now))
		}
		h.index.Replace(read.ID().Kind.Value(), list)
	default:
		h.now[read.ID()] = made
		h.index.Set(read)
		h.index.Set(read)
	}
}

// objectOf makes an object: the first two bytes say which, the third what it
// refers to, the last whose it is.
func objectOf(choice []byte) metav1.Object {
	spec, annotations := specOf(choice[2])
	template := corev1.PodTemplateSpec{Spec: spec}
	var made metav1.Object
	switch choice[0] % 8 {
	case 0, 1, 2:
		one := &corev1.Pod{Spec: spec}
		if choice[1]&0x10 != 0 {
			one.Status.Phase = corev1.PodSucceeded
		}
		for _, container := range spec.Containers {
			one.Status.ContainerStatuses = append(one.Status.ContainerStatuses, runs(container.Name, time.Unix(int64(choice[1]>>6), 0)))
		}
		made = one
	case 3:
		made = &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Template: template}}
	case 4:
		made = &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: template}}
	case 5:
		one := &batchv1.Job{Spec: batchv1.JobSpec{Template: template}}
		if choice[1]&0x10 != 0 {
			one.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}
		made = one
	case 6:
		made = &corev1.ServiceAccount{ImagePullSecrets: spec.ImagePullSecrets}
	default:
		made = &corev1.PodTemplate{Template: template}
	}
	made.SetNamespace([]string{"a", "b"}[choice[1]&1])
	made.SetName(fmt.Sprintf("o%d", choice[1]>>1&3))
	made.SetUID(types.UID(fmt.Sprintf("%s-%d", made.GetName(), choice[1]>>3&1)))
	made.SetAnnotations(annotations)
	kinds := []schema.GroupVersionKind{
		{}, {}, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), appsv1.SchemeGroupVersion.WithKind("Deployment"),
		batchv1.SchemeGroupVersion.WithKind("Job"), corev1.SchemeGroupVersion.WithKind("Pod"),
		{Group: "example.com", Version: "v1", Kind: "App"}, corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
	}
	if kind := kinds[choice[3]%8]; !kind.Empty() {
		name := fmt.Sprintf("o%d", choice[3]>>3&3)
		uid := types.UID(fmt.Sprintf("%s-%d", name, choice[3]>>5&1))
		made.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Name: name, UID: uid, Controller: new(true)}})
	}
	return made
}

// assetKinds are the kinds of assets in this world, which have the names that its
// credentials have.
var assetKinds = []string{"Environment", "DataSource", "WorkloadTemplate"}

// specOf returns a spec and annotations: which of two credentials or assets, in which
// ways.
func specOf(choice byte) (corev1.PodSpec, map[string]string) {
	name := []string{"c0", "c1"}[choice&1]
	secret := "secret-" + name
	var spec corev1.PodSpec
	if choice&2 != 0 {
		spec = reading(secret, "secret-c0")
	}
	if choice&4 != 0 {
		spec.ImagePullSecrets = pulling(secret).ImagePullSecrets
	}
	if choice&8 != 0 {
		spec.Volumes = mounting(secret).Volumes
	}
	if choice&16 != 0 {
		spec.ServiceAccountName = "o1"
	} else {
		spec.ServiceAccountName = "o2"
	}
	switch choice >> 5 {
	case 0:
		return spec, map[string]string{"credence.dev/credentials": name + ",,"}
	case 1, 2:
		return spec, map[string]string{"credence.dev/injected": `{"` + name + `": ["imagePullSecrets (automatic)"]}`}
	case 3:
		return spec, map[string]string{"credence.dev/environment": name, "credence.dev/template": "c0"}
	case 4:
		return spec, map[string]string{"credence.dev/data-sources": "c1," + name, "credence.dev/credentials": "c0"}
	}
	return spec, nil
}

// FuzzOrder holds that an index after any events is the one made of what there is
// in the end, and that somebody was told of every answer that changed.
func FuzzOrder(f *testing.F) {
	// A pod, then its ReplicaSet, then the Deployment; the Deployment goes.
	f.Add([]byte{0xe0, 0, 0x66, 2, 0xe3, 0, 0x66, 3, 0xe4, 0, 0x40, 0, 0x04, 0, 0, 0})
	// A service account behind the workload that uses it, and then without secrets.
	f.Add([]byte{0xe4, 2, 0x50, 0, 0xe6, 2, 0x64, 0, 0xe6, 2, 0x60, 0})
	// A pod that finishes and comes back with the same name and another UID.
	f.Add([]byte{0xe0, 0, 2, 0, 0xe0, 0x10, 2, 0, 0xe0, 8, 3, 0})
	// A list without a pod that the watch missed.
	f.Add([]byte{0xe0, 0, 2, 4, 0xe0, 2, 3, 4, 0x40, 0x42, 3, 4})
	// A pod that names an environment and a template before its owner is known, which
	// names data sources.
	f.Add([]byte{0xe0, 0, 0x60, 2, 0xe3, 0, 0x66, 3, 0xe4, 0, 0x81, 0, 0x04, 0, 0, 0})
	// Two service accounts of one owner, of which a workload uses the second.
	f.Add([]byte("v1$GC100N#$\xc7"))
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, seed))
		script := make([]byte, 4*(10+random.IntN(120)))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(checkHistory)
}

func checkHistory(t *testing.T, script []byte) {
	h := newHistory()
	before := answers(t, h.index)
	for choice := range slices.Chunk(script[:min(len(script)/4*4, 2000)], 4) {
		clear(h.told)
		h.event(t, choice)
		after := answers(t, h.index)
		h.checkTold(t, before, after)
		before = after
	}
	scratch, listed := NewIndex(), NewIndex()
	byKind := map[object.Kind][]object.Object{}
	ids := make([]object.ID, 0, len(h.now))
	for one := range h.now {
		ids = append(ids, one)
	}
	slices.SortFunc(ids, func(a, b object.ID) int { return bytes.Compare([]byte(a.Name+a.Namespace), []byte(b.Name+b.Namespace)) })
	for _, one := range ids {
		read := readAny(t, h.now[one])
		scratch.Set(read)
		byKind[one.Kind] = append(byKind[one.Kind], read)
	}
	for kind, list := range byKind {
		listed.Replace(kind.Value(), list)
	}
	if diff := cmp.Diff(answers(t, scratch), before); diff != "" {
		t.Errorf("the index differs from one made from scratch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(answers(t, listed), before); diff != "" {
		t.Errorf("the index differs from one made of lists (-want +got):\n%s", diff)
	}
	checkBooks(t, h.index, scratch)
}
