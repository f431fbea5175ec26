// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/usage/object"
)

// The API server takes objects of 1.5 MiB, which is 80,000 references. All of these
// must take as long for each at both sizes.
var hostileSizes = []int{10_000, 80_000}

// BenchmarkHostile does what one who may write workloads can have done, as much as
// one object or many small ones make of it.
func BenchmarkHostile(b *testing.B) {
	for name, prepare := range map[string]func(testing.TB, int) func(){
		"template": hostileTemplate,
		"reading":  hostileReading,
		"pods":     hostilePods,
		"owner":    hostileOwner,
		"readers":  hostileReaders,
	} {
		for _, n := range hostileSizes {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				do := prepare(b, n)
				for b.Loop() {
					do()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/each")
			})
		}
	}
}

// wide is a spec whose container reads n Secrets.
func wide(n int) corev1.PodSpec {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}
	for i := range n {
		spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, reading("s" + strconv.Itoa(i)).Containers[0].EnvFrom...)
	}
	return spec
}

// hostileTemplate is a PodTemplate that refers to n Secrets, and comes and goes
// between others.
func hostileTemplate(tb testing.TB, n int) func() {
	x := indexOf(tb, podTemplate("first", wide(n)))
	second, third := readAny(tb, podTemplate("second", wide(n+1))), readAny(tb, podTemplate("third", wide(n+2)))
	return func() {
		x.Set(second)
		x.Set(third)
		x.Remove(second)
		x.Remove(third)
	}
}

// hostileReading is a pod of n containers that all read, and run.
func hostileReading(_ testing.TB, n int) func() {
	one := pod("wide", corev1.PodSpec{})
	for i := range n {
		name := "c" + strconv.Itoa(i)
		container := reading("s").Containers[0]
		container.Name = name
		one.Spec.Containers = append(one.Spec.Containers, container)
		one.Status.ContainerStatuses = append(one.Status.ContainerStatuses, runs(name, time.Unix(1, 0)))
	}
	return func() { object.Read(one) }
}

// hostilePods are n pods, each unlike the others, of a workload that refers to n
// Secrets but not to the one that is asked for.
func hostilePods(tb testing.TB, n int) func() {
	x := indexOf(tb, deployment("web", wide(n)))
	for i := range n {
		one := pod("web-"+strconv.Itoa(i), pulling("asked", "s"+strconv.Itoa(i)))
		by("apps/v1", "Deployment", "web", one)
		x.Set(readAny(tb, one))
	}
	q := Query{Name: "asked", Secret: "asked", Namespaces: []string{"a"}}
	return func() {
		if users := x.Users(q); len(users.Workloads)+len(users.Automatic) != 1 {
			tb.Fatalf("one workload has the pods, got %v", users)
		}
	}
}

// hostileOwner is a workload of n pods that comes and goes.
func hostileOwner(tb testing.TB, n int) func() {
	x := NewIndex()
	for i := range n {
		one := pod("web-"+strconv.Itoa(i), pulling("asked", "s"+strconv.Itoa(i)))
		by("apps/v1", "Deployment", "web", one)
		x.Set(readAny(tb, one))
	}
	web := readAny(tb, deployment("web", corev1.PodSpec{}))
	return func() {
		x.Set(web)
		x.Remove(web)
	}
}

// hostileReaders are n pods that read one Secret and, each, one of their own.
func hostileReaders(tb testing.TB, n int) func() {
	x := NewIndex()
	for i := range n {
		x.Set(readAny(tb, pod("web-"+strconv.Itoa(i), reading("asked", "s"+strconv.Itoa(i)))))
	}
	q := Query{Secret: "asked", Namespaces: []string{"a"}}
	return func() {
		if readers := x.Readers(q); len(readers) != n {
			tb.Fatalf("%d pods read it, want %d", len(readers), n)
		}
	}
}
