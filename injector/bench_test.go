// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
)

// The pod of the benchmarks: 6 KiB as an API server sends it, with three
// credentials: variables, a mount and a pull secret, in two containers.
const benchmarkPod = "testdata/benchmark/pod.json"

// The rounds of the comparison in BenchmarkInject.
const (
	rounds   = 9
	perRound = 2000
)

func BenchmarkJSONValid(b *testing.B) {
	document := readBenchmarkPod(b)
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		validate(b, document)
	}
}

// BenchmarkInject goes from the raw pod to the bytes of the patch. It also reports
// how many times as long that takes as json.Valid of the same bytes: the two take
// turns, and the medians of the rounds are compared.
func BenchmarkInject(b *testing.B) {
	document := readBenchmarkPod(b)
	known, _ := catalogOf(b, "testdata/benchmark/assets.yaml", credential.DefaultLayout())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		inject(b, known, document)
	}
	var valid, injected []time.Duration
	for range rounds {
		valid = append(valid, timed(func() { validate(b, document) }))
		injected = append(injected, timed(func() { inject(b, known, document) }))
	}
	b.ReportMetric(float64(median(injected))/float64(median(valid)), "×JSONValid")
}

// BenchmarkInjectAssets injects a template, an environment and two data sources into
// the same pod. It also reports how many times as long that takes as BenchmarkInject
// does, likewise.
func BenchmarkInjectAssets(b *testing.B) {
	plain := readBenchmarkPod(b)
	document := []byte(strings.Replace(string(plain), `"credence.dev/credentials":"openai, hub, bucket"`,
		`"credence.dev/template":"training"`, 1))
	known, _ := catalogOf(b, "testdata/benchmark/assets.yaml", credential.DefaultLayout())
	withAssets, _ := catalogOf(b, "testdata/benchmark/with-assets.yaml", credential.DefaultLayout())
	for _, one := range withAssets.Assets() {
		known.SetAsset(one)
	}
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		inject(b, known, document)
	}
	var without, with []time.Duration
	for range rounds {
		without = append(without, timed(func() { inject(b, known, plain) }))
		with = append(with, timed(func() { inject(b, known, document) }))
	}
	b.ReportMetric(float64(median(with))/float64(median(without)), "×Inject")
}

func validate(b *testing.B, document []byte) {
	if !json.Valid(document) {
		b.Fatal("the pod is not valid JSON")
	}
}

func inject(b *testing.B, known *catalog.Catalog, document []byte) {
	decoded, err := pod.Decode(document)
	if err != nil {
		b.Fatal(err)
	}
	result, err := injector.Inject(known, injector.Request{Pod: decoded, Namespace: "team-a", PullSecrets: true})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := patch.AppendJSON(nil, result.Operations); err != nil {
		b.Fatal(err)
	}
}

func timed(do func()) time.Duration {
	start := time.Now()
	for range perRound {
		do()
	}
	return time.Since(start)
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func readBenchmarkPod(tb testing.TB) []byte {
	tb.Helper()
	document, err := os.ReadFile(benchmarkPod)
	if err != nil {
		tb.Fatal(err)
	}
	return document
}
