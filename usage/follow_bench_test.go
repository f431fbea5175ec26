// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/usage"
)

// crowd is an API server with 50,000 pods and nothing else. They differ in a
// number alone, which is written over that of the first, so that what the server
// does takes no memory of note.
type crowd struct {
	streams bool
	// pod is the first pod as it is sent, event as part of a watch, and end what ends
	// the initial events.
	pod, event, end []byte
}

const (
	crowdPods = 50_000
	crowdPage = 500
	number    = "00000"
	mark      = "NUMBER" + number
)

func newCrowd(b *testing.B, streams bool) *crowd {
	encode := func(object k8sruntime.Object) []byte {
		var buffer bytes.Buffer
		if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(object, &buffer); err != nil {
			b.Fatal(err)
		}
		return buffer.Bytes()
	}
	event := func(kind string, object []byte) []byte {
		one := metav1.WatchEvent{Type: kind, Object: k8sruntime.RawExtension{Raw: object}}
		data, err := one.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	}
	pod := crowdPod()
	ends := &corev1.Pod{TypeMeta: pod.TypeMeta, ObjectMeta: metav1.ObjectMeta{ResourceVersion: "9", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	c := &crowd{streams: streams, event: event("ADDED", encode(pod)), end: event("BOOKMARK", encode(ends))}
	raw, err := pod.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	c.pod = raw
	return c
}

// crowdPod is a pod of some 6 KiB, as a node reports it, with three credentials.
func crowdPod() *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "project", Name: "workload-6d4b75cb6d-" + mark, UID: "b1d5c5a8-7c5f-4a86-9d3b-" + mark, ResourceVersion: "8",
			Annotations: map[string]string{
				"credence.dev/credentials": "openai, data", "mount.credence.dev/keys": "keys:/keys",
				"example.com/configuration": strings.Repeat("configuration ", 200),
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "workload-6d4b75cb6d", UID: "b1d5c5a8-7c5f-4a86-9d3b-000000000000", Controller: new(true)}},
		},
		Spec:   template().Spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Message: strings.Repeat("what a node says ", 150)},
	}
	pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "dockerregistry-hub"}}
	pod.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "genericsecret-openai"}}}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "sshkey-keys"}}}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1_700_000_000, 0)}}}}
	return pod
}

// renumber writes a pod's number over the marks.
func renumber(data []byte, i int) {
	digits := fmt.Appendf(nil, "%0*d", len(number), i)
	for at := 0; ; {
		found := bytes.Index(data[at:], []byte(mark[:len(mark)-len(number)]))
		if found < 0 {
			return
		}
		at += found + len(mark)
		copy(data[at-len(number):at], digits)
	}
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, pods := r.URL.Query(), strings.HasSuffix(r.URL.Path, "/pods")
	w.Header().Set("Content-Type", k8sruntime.ContentTypeProtobuf)
	switch {
	case query.Get("watch") == "":
		c.list(w, pods, query.Get("continue"))
		return
	case query.Get("sendInitialEvents") != "" && !c.streams:
		w.Header().Set("Content-Type", k8sruntime.ContentTypeJSON)
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}`))
		return
	}
	w.Header().Set("Content-Type", k8sruntime.ContentTypeProtobuf+";stream=watch")
	if query.Get("sendInitialEvents") != "" {
		event := bytes.Clone(c.event)
		for i := 0; pods && i < crowdPods; i++ {
			renumber(event, i)
			_, _ = w.Write(event)
		}
		_, _ = w.Write(c.end)
	}
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// list writes a page, of pods or of nothing, as protobuf has it: the fields of a
// list one behind the other, in the envelope of the API server's.
func (c *crowd) list(w http.ResponseWriter, pods bool, from string) {
	first, _ := strconv.Atoi(from)
	about := metav1.ListMeta{ResourceVersion: "9"}
	if pods && first+crowdPage < crowdPods {
		about.Continue = strconv.Itoa(first + crowdPage)
	}
	meta, _ := about.Marshal()
	list := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(meta))), meta...)
	pod := bytes.Clone(c.pod)
	for i := first; pods && i < first+crowdPage; i++ {
		renumber(pod, i)
		list = append(binary.AppendUvarint(append(list, 2<<3|2), uint64(len(pod))), pod...)
	}
	kind := k8sruntime.Unknown{TypeMeta: k8sruntime.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Raw: list}
	envelope, _ := kind.Marshal()
	_, _ = w.Write(append([]byte("k8s\x00"), envelope...))
}

// BenchmarkFollow reports how long it takes until 50,000 pods are known, what they
// keep in memory, and what the process has taken from the system meanwhile.
func BenchmarkFollow(b *testing.B) {
	for name, streams := range map[string]bool{"streamed": true, "paged": false} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(newCrowd(b, streams))
			defer server.Close()
			for b.Loop() {
				follow50000(b, server.URL)
			}
		})
	}
}

func follow50000(b *testing.B, address string) {
	before := heapNow(true)
	index := usage.NewIndex()
	follower, err := usage.Follow(&rest.Config{Host: address, QPS: -1}, index, usage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	started, peak := time.Now(), uint64(0)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- follower.Start(ctx) }()
	for tick := time.NewTicker(10 * time.Millisecond); !index.Synced(); <-tick.C {
		peak = max(peak, heapNow(false))
	}
	b.ReportMetric(time.Since(started).Seconds(), "s-ready")
	b.ReportMetric(float64(peak-before)/(1<<20), "MiB-peak")
	b.ReportMetric(float64(heapNow(true)-before)/(1<<20), "MiB-kept")
	readers := index.Readers(usage.Query{Secret: "genericsecret-openai", Namespaces: []string{"project"}})
	if len(readers) != crowdPods {
		b.Fatalf("%d pods are known, want %d", len(readers), crowdPods)
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func heapNow(collected bool) uint64 {
	if collected {
		for range 3 { // what weak pointers hold goes only behind the objects
			runtime.GC()
		}
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}
