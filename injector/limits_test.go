// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
)

// TestLimits holds that a small document cannot ask for a large patch, and that
// nothing is repeated without end.
func TestLimits(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	containers := make([]any, 200)
	for i := range containers {
		containers[i] = map[string]any{"name": fmt.Sprint("c", i)}
	}
	var lines strings.Builder
	for i := range 51 {
		fmt.Fprintf(&lines, "V%d=tokens/TOKEN_A\n", i)
	}
	long := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct {
		annotations map[string]string
		containers  []any
		want        string
	}{
		"too much": {
			annotations: map[string]string{"credence.dev/env": lines.String()}, containers: containers,
			want: "the pod asks for 51 things in 200 containers, and at most 10000 in all are supported",
		},
		"long credential": {
			annotations: map[string]string{"credence.dev/credentials": long},
			want:        `annotation credence.dev/credentials: "` + long[:80] + `…" cannot be the name of a credential, which is made of lower case letters, digits and '-'`,
		},
		"long annotation": {
			annotations: map[string]string{"credence.dev/" + long: ""},
			want:        `annotation "credence.dev/` + long[:67] + `…": there is no such annotation`,
		},
		"long container": {
			annotations: map[string]string{"credence.dev/containers": long}, containers: []any{map[string]any{"name": long + "x"}},
			want: `annotation credence.dev/containers: the pod has no container "` + long[:80] + `…"`,
		},
		"long sentence": {
			annotations: map[string]string{"credence.dev/env": long + "=tokens/TOKEN_A\n" + long + "=tokens/TOKEN_B"}, containers: []any{map[string]any{"name": "main"}},
			want: "annotation credence.dev/env: variable " + long[:1000-len("variable ")-len("…")] + "…",
		},
		"long line": {
			annotations: map[string]string{"credence.dev/env": long + "=tokens/nothing"},
			want:        `annotation credence.dev/env: credential "tokens" of type generic has no key "nothing" (keys: TOKEN_A, TOKEN_B)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(t, map[string]any{"metadata": map[string]any{"annotations": test.annotations}, "spec": map[string]any{"containers": test.containers}})
			_, err := injector.Inject(known, injector.Request{Pod: pod, Namespace: "team-a"})
			if err == nil {
				t.Fatal("not refused")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordIsBounded holds that the record stays small enough for an annotation.
func TestRecordIsBounded(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	var lines strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&lines, "V%d=tokens/TOKEN_A\n", i)
	}
	result, err := injector.Inject(known, injector.Request{Pod: podWith(t, "credence.dev/env", lines.String()), Namespace: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Record["tokens"]; len(got) != 257 || got[256] != "and more" {
		t.Errorf("%d entries, the last %q", len(got), got[len(got)-1])
	}
}
