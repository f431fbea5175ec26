// SPDX-License-Identifier: Apache-2.0

//go:build unix

package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/manifest"
	"github.com/credence-dev/credence/serving"
	"github.com/credence-dev/credence/webhook"
)

// The benchmark measures a whole admission over HTTPS: one review of the
// injector's benchmark pod, as an API server sends it, over HTTP/1.1 on 8
// connections that are kept. The load comes from a process of its own, so that the
// CPU time of this one is the server's.
const (
	rounds    = 7
	roundTime = 1500 * time.Millisecond
	warmUp    = 500 * time.Millisecond
)

// contestants are what is compared, by path. All are served by one server.
//
//	noop    controller-runtime's handler, which allows and does nothing else
//	typed   the usual mutator on it: decode the Pod, append, marshal, diff
//	inject  ours
var contestants = []string{"noop", "typed", "inject"}

// measurement is what one round gives, or the median of rounds.
type measurement struct {
	cpu  float64 // microseconds of the server's CPU time for each request
	rate float64 // requests a second
	p99  float64 // microseconds
}

func BenchmarkAdmission(b *testing.B) {
	measured := sync.OnceValue(func() map[string]measurement { return measureAdmission(b) })
	for _, name := range contestants {
		b.Run(name, func(b *testing.B) {
			of := measured()
			for range b.N { // what is measured has been measured
			}
			m := of[name]
			b.ReportMetric(1e9/m.rate, "ns/op")
			b.ReportMetric(m.cpu, "cpu-µs/op")
			b.ReportMetric(m.rate, "req/s")
			b.ReportMetric(m.p99, "p99-µs")
			if name != "inject" {
				return
			}
			for _, other := range contestants[:2] {
				b.ReportMetric(m.cpu/of[other].cpu, "cpu/"+other)
				b.ReportMetric(m.rate/of[other].rate, "rate/"+other)
				b.ReportMetric(m.p99/of[other].p99, "p99/"+other)
			}
		})
	}
}

// measureAdmission runs the rounds, interleaved, and returns the medians.
func measureAdmission(b *testing.B) map[string]measurement {
	b.Helper()
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	pod, err := os.ReadFile("../injector/testdata/benchmark/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	certificate, bundle := newCertificate(b)
	address := serveHTTPS(b, certificate, map[string]http.Handler{
		"/noop":   &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return admission.Allowed("") })},
		"/typed":  &admission.Webhook{Handler: admission.HandlerFunc(typedMutator(admission.NewDecoder(clientgoscheme.Scheme)))},
		"/inject": benchmarkHandler(b, log, pod),
	})
	all := map[string][]measurement{}
	for round := range rounds + 1 {
		for _, name := range contestants {
			duration := roundTime
			if round == 0 {
				duration = warmUp
			}
			m := measureRound(b, loadOptions{Address: address, Path: "/" + name, Bundle: bundle, Body: reviewOf("team-a", pod), Duration: duration})
			if round > 0 {
				all[name] = append(all[name], m)
			}
		}
	}
	medians := map[string]measurement{}
	for name, of := range all {
		medians[name] = measurement{
			cpu:  median(of, func(m measurement) float64 { return m.cpu }),
			rate: median(of, func(m measurement) float64 { return m.rate }),
			p99:  median(of, func(m measurement) float64 { return m.p99 }),
		}
	}
	return medians
}

func median(of []measurement, value func(measurement) float64) float64 {
	values := make([]float64, 0, len(of))
	for _, m := range of {
		values = append(values, value(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// measureRound has a process of its own send requests for a while.
func measureRound(b *testing.B, options loadOptions) measurement {
	b.Helper()
	generator := startLoad(b, options)
	runtime.GC()
	before := cpuTime(b)
	result := generator.run(b)
	used := cpuTime(b) - before
	return measurement{
		cpu:  float64(used.Microseconds()) / float64(result.Requests),
		rate: float64(result.Requests) / result.Elapsed.Seconds(),
		p99:  float64(result.P99.Nanoseconds()) / 1e3,
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchmarkHandler is our entry, with the catalog of the injector's benchmark and
// a log of the level that it has in production.
func benchmarkHandler(b *testing.B, log *os.File, pod []byte) http.Handler {
	b.Helper()
	f := &fixture{t: b, handlers: map[string]http.Handler{}}
	documents, err := manifest.ReadFile("../injector/testdata/benchmark/assets.yaml", nil)
	if err != nil {
		b.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		b.Fatal(err)
	}
	known, problems := assets.Catalog(credential.DefaultLayout(), "team-a")
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	drain, _, end := serving.NewDrain(b.Context(), 0, clock.RealClock{})
	b.Cleanup(end)
	err = webhook.Register(f, webhook.Options{Catalog: known, Live: &cluster{}, Registry: prometheus.NewRegistry(), Log: newProductionLogger(log)},
		func(next http.Handler) http.Handler {
			return drain.Handler(serving.WhenReady(func() bool { return true }, next))
		})
	if err != nil {
		b.Fatal(err)
	}
	if answer := f.admit("team-a", string(pod)); answer.response == nil || len(answer.response.AuditAnnotations) != 3 || len(answer.response.Patch) == 0 {
		b.Fatalf("the benchmark pod is not injected: %s", answer.body)
	}
	return f.handlers[webhook.PathAnnotated]
}

// typedMutator does by hand, to this one pod, what our entry does.
func typedMutator(decoder admission.Decoder) func(context.Context, admission.Request) admission.Response {
	variable := func(name, secret, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key,
		}}}
	}
	variables := []corev1.EnvVar{
		variable("OPENAI_API_KEY", "genericsecret-openai", "api-key"),
		variable("AWS_ACCESS_KEY_ID", "bucket", "AccessKeyId"), variable("AWS_SECRET_ACCESS_KEY", "bucket", "SecretKey"),
	}
	return func(_ context.Context, request admission.Request) admission.Response {
		pod := &corev1.Pod{}
		if err := decoder.Decode(request, pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range containers {
				c := &containers[i]
				c.Env = append(slices.Clone(variables), c.Env...)
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "credence-openai", ReadOnly: true, MountPath: "/etc/openai"})
			}
		}
		mode := int32(0o440)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "credence-openai", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: "genericsecret-openai", DefaultMode: &mode},
		}})
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "dockerregistry-hub"})
		pod.Annotations["credence.dev/injected"] = fmt.Sprintf("%d credentials", 3)
		patched, err := json.Marshal(pod)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return admission.PatchResponseFromRaw(request.Object.Raw, patched)
	}
}
