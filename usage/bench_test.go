// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// The cluster of the benchmarks: 50,000 pods of 5,000 Deployments in 250
// namespaces, each with a ReplicaSet that runs and one that is old. Each
// Deployment names three of 1,000 credentials, and its pods got them.
const (
	manyNamespaces  = 250
	manyDeployments = 20 // in a namespace
	manyReplicas    = 10
	manyPods        = manyNamespaces * manyDeployments * manyReplicas
	manyCredentials = 1000
)

func credentialName(i int) string { return fmt.Sprintf("credential-%04d", i%manyCredentials) }

// specOfMany is a pod's spec as injection leaves it, for a Deployment by its number.
func specOfMany(number int) corev1.PodSpec {
	spec := reading("genericsecret-" + credentialName(number))
	spec.Containers[0].Env = variable("", "genericsecret-"+credentialName(number+1)).Env
	spec.Volumes = mounting("genericsecret-" + credentialName(number+2)).Volumes
	spec.ImagePullSecrets = pulling("dockerregistry-" + credentialName(number+3)).ImagePullSecrets
	return spec
}

// manyObjects calls a function with all objects of the cluster. Each is made anew,
// as a decoder makes it.
func manyObjects(each func(any)) {
	uid := 0
	for namespace := range manyNamespaces {
		for number := range manyDeployments {
			number := namespace*manyDeployments + number
			web := deployment(fmt.Sprintf("workload-%05d", number), corev1.PodSpec{})
			web.Namespace = fmt.Sprintf("project-%03d", namespace)
			web.UID = manyUID(&uid)
			annotated(web, "credence.dev/credentials", credentialName(number)+", "+credentialName(number+1), "mount.credence.dev/x", credentialName(number+2)+":/x")
			each(web)
			old := replicaSet(web.Name+"-5f7d9cbb4d", specOfMany(number))
			now := replicaSet(web.Name+"-6d4b75cb6d", specOfMany(number))
			for _, set := range []*appsv1.ReplicaSet{old, now} {
				set.Namespace, set.UID = web.Namespace, manyUID(&uid)
				by("apps/v1", "Deployment", web.Name, set)
				set.OwnerReferences[1].UID = web.UID
				each(set)
			}
			for replica := range manyReplicas {
				one := pod(fmt.Sprintf("%s-%05x", now.Name, replica*7919), specOfMany(number))
				one.Namespace, one.UID = web.Namespace, manyUID(&uid)
				annotated(one, "credence.dev/credentials", credentialName(number)+", "+credentialName(number+1),
					"mount.credence.dev/x", credentialName(number+2)+":/x",
					"credence.dev/injected", `{"`+credentialName(number+3)+`": ["imagePullSecrets (automatic)"]}`)
				by("apps/v1", "ReplicaSet", now.Name, one)
				one.OwnerReferences[1].UID = now.UID
				one.Status.ContainerStatuses = []corev1.ContainerStatus{runs(one.Spec.Containers[0].Name, time.Unix(int64(1_700_000_000+uid), 0))}
				each(one)
			}
		}
	}
}

func manyUID(last *int) types.UID {
	*last++
	return types.UID(fmt.Sprintf("b1d5c5a8-7c5f-4a86-9d3b-%012x", *last))
}

func manyIndex() *Index {
	x := NewIndex()
	manyObjects(func(each any) {
		read, _ := object.Read(each)
		x.Set(read)
	})
	return x
}

// BenchmarkIndexMemory reports what 50,000 pods keep in memory, with their 15,000
// owners.
func BenchmarkIndexMemory(b *testing.B) {
	for b.Loop() {
		before := heap()
		x := manyIndex()
		retained := heap() - before
		if got := x.count(object.Pod.Value()); got != manyPods {
			b.Fatalf("%d pods are held, want %d", got, manyPods)
		}
		b.ReportMetric(float64(retained)/manyPods, "B/pod")
		b.ReportMetric(float64(retained)/(1<<20), "MiB")
		runtime.KeepAlive(x)
	}
}

// heap is what the heap holds after everything else was collected.
func heap() uint64 {
	for range 3 { // what weak pointers hold goes only behind the objects
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkIndexSet takes in pods that are new, and those that are known and have
// not changed.
func BenchmarkIndexSet(b *testing.B) {
	read := make([]object.Object, 0, manyPods)
	manyObjects(func(each any) {
		if one, ok := each.(*corev1.Pod); ok {
			o, _ := object.Read(one)
			read = append(read, o)
		}
	})
	b.Run("new", func(b *testing.B) {
		x, at := NewIndex(), 0
		for b.Loop() {
			if at == len(read) {
				b.StopTimer()
				x, at = NewIndex(), 0
				b.StartTimer()
			}
			x.Set(read[at])
			at++
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		x, at := manyIndex(), 0
		b.ResetTimer()
		for b.Loop() {
			x.Set(read[at%len(read)])
			at++
		}
	})
}

// BenchmarkIndexRead makes a pod slim.
func BenchmarkIndexRead(b *testing.B) {
	var pods []*corev1.Pod
	manyObjects(func(each any) {
		if one, ok := each.(*corev1.Pod); ok && len(pods) < 1000 {
			pods = append(pods, one)
		}
	})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		object.Read(pods[i%len(pods)])
	}
}

// BenchmarkIndexUsers asks about one of the credentials, and about one that all
// pods use, in 2,000 namespaces.
func BenchmarkIndexUsers(b *testing.B) {
	x := manyIndex()
	var namespaces []string
	for i := range 2000 {
		namespaces = append(namespaces, fmt.Sprintf("project-%03d", i))
	}
	for i := range manyNamespaces * manyDeployments { // the 1001st credential, as an annotation on the running pods
		number := i
		for replica := range manyReplicas {
			one := pod(fmt.Sprintf("bare-%05d-%d", number, replica), pulling("dockerregistry-all"))
			one.Namespace = fmt.Sprintf("project-%03d", number/manyDeployments)
			by("apps/v1", "ReplicaSet", fmt.Sprintf("workload-%05d-6d4b75cb6d", number), one)
			o, _ := object.Read(one)
			x.Set(o)
		}
	}
	for name, q := range map[string]Query{
		"one": {Name: credentialName(1), Secret: "genericsecret-" + credentialName(1), Namespaces: namespaces},
		"all": {Name: "all", Secret: "dockerregistry-all", Namespaces: namespaces},
	} {
		b.Run(name, func(b *testing.B) {
			var users Users
			for b.Loop() {
				users = x.Users(q)
			}
			b.ReportMetric(float64(len(users.Workloads)+len(users.Automatic)), "users")
		})
	}
	b.Run("readers", func(b *testing.B) {
		var readers []Reader
		for b.Loop() {
			readers = x.Readers(Query{Secret: "genericsecret-" + credentialName(1), Namespaces: namespaces})
		}
		b.ReportMetric(float64(len(readers)), "readers")
	})
}

// BenchmarkIndexAsking looks through all pods of a cluster in which each asks for
// something, as the doctor does.
func BenchmarkIndexAsking(b *testing.B) {
	x := manyIndex()
	for b.Loop() {
		if lacking := x.Asking(func(pods *Asking) bool { return !pods.Refers("genericsecret-" + pods.Credentials[0]) }); len(lacking) > 0 {
			b.Fatalf("%d pods lack something", len(lacking))
		}
	}
}

// BenchmarkIndexWarned does the same for warnings.
func BenchmarkIndexWarned(b *testing.B) {
	x := manyIndex()
	for b.Loop() {
		if warned := x.Warned(); len(warned) > 0 {
			b.Fatalf("%d are warned", len(warned))
		}
	}
}
