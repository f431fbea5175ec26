// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
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
			want: "annotation credence.dev/env: the pod asks for 51 things in 200 containers, and at most 10000 in all are supported",
		},
		"too much of several": {
			annotations: map[string]string{"credence.dev/env": lines.String()[:len("V0=tokens/TOKEN_A\n")*10], "mount.credence.dev/a": "git:/a", "mount.credence.dev/b": "git:/b"}, containers: slices.Repeat(containers, 5),
			want: "annotation credence.dev/env: the pod asks for 12 things in 1000 containers, and at most 10000 in all are supported",
		},
		"too much of no one": {
			annotations: manyMounts(51), containers: containers,
			want: "the pod asks for 51 things in 200 containers, and at most 10000 in all are supported",
		},
		"too much text": {
			annotations: map[string]string{"credence.dev/env": long + "=tokens/TOKEN_A"}, containers: containers,
			want: "annotation credence.dev/env: the pod asks for 100004 bytes of names and paths in 200 containers, and at most 2097152 in all are supported",
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
			want: "annotation credence.dev/env: line 2: variable " + long[:1000-len("line 2: variable ")-len("…")] + "…",
		},
		"long line": {
			annotations: map[string]string{"credence.dev/env": long + "=tokens/nothing"},
			want:        `annotation credence.dev/env: line 1: credential "tokens" of type generic has no key "nothing" (keys: TOKEN_A, TOKEN_B)`,
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

// manyMounts are annotations for so many mounts.
func manyMounts(n int) map[string]string {
	annotations := make(map[string]string, n)
	for i := range n {
		annotations[fmt.Sprint("mount.credence.dev/", i)] = fmt.Sprint("git:/wanted/", i)
	}
	return annotations
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
	env := []any{}
	for i := range 100 {
		env = append(env, map[string]any{"name": fmt.Sprint("V", i), "value": "own"})
	}
	pod := podOf(t, map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{"credence.dev/env": lines.String()[:len("V0=tokens/TOKEN_A\n")*10]}},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": strings.Repeat("x", 10_000), "env": env}}},
	})
	if result, err = injector.Inject(known, injector.Request{Pod: pod, Namespace: "team-a"}); err != nil {
		t.Fatal(err)
	}
	if got := result.Record.String(); len(got) > 70<<10 || !strings.Contains(got, "and more") {
		t.Errorf("the record has %d bytes", len(got))
	}
}

// hostile are pods that one author could make to occupy the webhook: as much is wanted
// as can be, and the pod has very much of it.
var hostile = map[string]func() map[string]any{
	"variables": func() map[string]any {
		return podWithMany(map[string]string{"credence.dev/env": many(9999, "V%d=tokens/TOKEN_A\n")}, 1,
			map[string]any{"env": each(60_000, func(i int) any { return map[string]any{"name": fmt.Sprint("E", i), "value": "x"} })}, nil)
	},
	"variables that are there": func() map[string]any {
		return podWithMany(map[string]string{"credence.dev/env": many(9999, "V%d=tokens/TOKEN_A\n")}, 1,
			map[string]any{"env": each(60_000, func(i int) any { return map[string]any{"name": fmt.Sprint("V", i/2), "value": "x"} })}, nil)
	},
	"mounts": func() map[string]any {
		return podWithMany(manyMounts(9999), 1,
			map[string]any{"volumeMounts": each(40_000, func(i int) any { return map[string]any{"name": "d", "mountPath": fmt.Sprint("/own/", i)} })},
			each(1, func(int) any { return map[string]any{"name": "d", "emptyDir": map[string]any{}} }))
	},
	"volumes": func() map[string]any {
		annotations := map[string]string{}
		for i := range 4999 {
			annotations[fmt.Sprint("mount.credence.dev/", i)] = fmt.Sprintf("git:/wanted/%d;mode=0%03o;keys=privateKey=f%d", i, i%0o1000, i)
		}
		return podWithMany(annotations, 2, nil, each(20_000, func(i int) any {
			return map[string]any{"name": fmt.Sprint("d", i), "secret": map[string]any{"secretName": "git", "defaultMode": 256}}
		}))
	},
	"long paths that are not clean": func() map[string]any {
		return podWithMany(manyMounts(9999), 1, map[string]any{"volumeMounts": each(8, func(i int) any {
			return map[string]any{"name": "d", "mountPath": fmt.Sprint("/own/", i) + strings.Repeat("//a", 100_000)}
		})}, nil)
	},
	"files": func() map[string]any {
		annotations := map[string]string{}
		for i := range 9 {
			annotations[fmt.Sprint("mount.credence.dev/", i)] = fmt.Sprintf("git:/wanted/%d;keys=", i) + strings.TrimSuffix(many(1024, "privateKey=f%d,"), ",")
		}
		return podWithMany(annotations, 1000, nil, nil)
	},
}

func podWithMany(annotations map[string]string, containers int, container map[string]any, volumes []any) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"annotations": annotations},
		"spec": map[string]any{
			"containers": each(containers, func(i int) any {
				own := maps.Clone(container)
				if own == nil {
					own = map[string]any{}
				}
				own["name"] = fmt.Sprint("c", i)
				return own
			}),
			"volumes": volumes,
		},
	}
}

func each(n int, one func(i int) any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = one(i)
	}
	return list
}

func many(n int, format string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// TestHostile holds that they are decided about. How long that takes,
// BenchmarkHostile says.
func TestHostile(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	for name, make := range hostile {
		t.Run(name, func(t *testing.T) {
			result, err := injector.Inject(known, injector.Request{Pod: podOf(t, make()), Namespace: "team-a"})
			if err != nil {
				t.Fatal(err)
			}
			text, err := patch.AppendJSON(nil, result.Operations)
			if err != nil || len(text) == 0 || len(text) > 8<<20 {
				t.Errorf("a patch of %d bytes, error %v", len(text), err)
			}
		})
	}
}

// BenchmarkHostile decides about pods that are made to take long. The API server
// waits five seconds, and in the meantime other pods wait too.
func BenchmarkHostile(b *testing.B) {
	known, _ := catalogOf(b, "testdata/assets.yaml", credential.DefaultLayout())
	for name, make := range hostile {
		b.Run(name, func(b *testing.B) {
			decoded := podOf(b, make())
			for b.Loop() {
				if _, err := injector.Inject(known, injector.Request{Pod: decoded, Namespace: "team-a"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestRecordLeavesAPodValid: annotations have a bound in all, and a pod that is full
// of them is none that Credence may make invalid.
func TestRecordLeavesAPodValid(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	for size, recorded := range map[int]bool{100_000: true, 262_090: false} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			pod := podWith(t, "credence.dev/credentials", "tokens")
			pod.Metadata.Annotations["example.com/note"] = strings.Repeat("x", size)
			result, err := injector.Inject(known, injector.Request{Pod: pod, Namespace: "team-a"})
			if err != nil {
				t.Fatal(err)
			}
			written := slices.ContainsFunc(result.Operations, func(o jsonpatch.Operation) bool { return o.Path == "/metadata/annotations/credence.dev~1injected" })
			if written != recorded {
				t.Errorf("the record is written: %t", written)
			}
			if len(result.Record) == 0 || len(result.Operations) == 0 {
				t.Error("nothing was injected")
			}
		})
	}
}
