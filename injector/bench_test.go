// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
)

// The pod of the benchmarks: 6 KiB as an API server sends it, with three
// credentials: two environment variables, one set of variables, one mount.
const benchmarkPod = "testdata/benchmark/pod.json"

func BenchmarkJSONValid(b *testing.B) {
	document := readBenchmarkPod(b)
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		if !json.Valid(document) {
			b.Fatal("the pod is not valid JSON")
		}
	}
}

func BenchmarkInject(b *testing.B) {
	document := readBenchmarkPod(b)
	known, _ := catalogOf(b, "testdata/benchmark/assets.yaml", credential.DefaultLayout())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		pod, err := injector.DecodePod(document)
		if err != nil {
			b.Fatal(err)
		}
		result, err := injector.Inject(known, injector.Request{Pod: pod, Namespace: "team-a", PullSecrets: true})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := injector.AppendPatch(nil, result.Operations); err != nil {
			b.Fatal(err)
		}
	}
}

func readBenchmarkPod(tb testing.TB) []byte {
	tb.Helper()
	document, err := os.ReadFile(benchmarkPod)
	if err != nil {
		tb.Fatal(err)
	}
	return document
}
