// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/manifest"
)

// oddDocuments are documents that comparable projects have stumbled over, and
// malformed ones.
var oddDocuments = []string{
	// Fields that no version knows yet, also within what is decoded.
	`{"kind":"Pod","apiVersion":"v1","metadata":{"annotations":{"credence.dev/credentials":"tokens, git"},"x":1e400},"spec":{"x":[{"y":null}],"containers":[{"name":"a","x":{"z":0.10}}]}}`,
	// A marker annotation, copied.
	`{"metadata":{"annotations":{"credence.dev/injected":"{\"hub\":[\"imagePullSecrets (automatic)\"]}"}},"spec":{"imagePullSecrets":[{"name":"dockerregistry-hub"}],"containers":[{"name":"a","image":"registry.example.com/a"}]}}`,
	`{"metadata":{"annotations":{"credence.dev/injected":"{"}},"spec":{"containers":[]}}`,
	`{"metadata":{"annotations":{"credence.dev/injected":"[null]"}},"spec":{}}`,
	// Neither name nor namespace.
	`{"metadata":{"generateName":"a-"},"spec":{"containers":[{"name":"a","image":"nginx"}]}}`,
	`{"spec":{"containers":[{"image":"nginx"}]}}`,
	// Init containers, sidecars, ephemeral containers, duplicate names.
	`{"metadata":{"annotations":{"credence.dev/credentials":"bucket","credence.dev/containers":"a"}},"spec":{"initContainers":[{"name":"a","restartPolicy":"Always"},{"name":"b"}],"containers":[{"name":"a"},{"name":"a"}],"ephemeralContainers":[{"name":"a"}]}}`,
	// Names that are taken.
	`{"metadata":{"annotations":{"credence.dev/credentials":"git"}},"spec":{"containers":[{"name":"a"}],"volumes":[{"name":"credence-git"},{"name":"credence-git-f1ff22c6","secret":{"secretName":"git"}}]}}`,
	`{"metadata":{"annotations":{"env.credence.dev/A":"tokens/TOKEN_A"}},"spec":{"containers":[{"name":"a","env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"tokens","key":"TOKEN_A"}}},{"name":"A","value":"x"}]}]}}`,
	`{"metadata":{"annotations":{"mount.credence.dev/a":"git:/a"}},"spec":{"containers":[{"name":"a","volumeMounts":[{"name":"v","mountPath":"/a/"},{"name":"v","mountPath":"a"}]}],"volumes":[{"name":"v","secret":{"secretName":"git","defaultMode":420}},{"name":"v"}]}}`,
	// Two volumes of one name, the second with just our content.
	`{"metadata":{"annotations":{"mount.credence.dev/a":"git:/a;mode=0644"}},"spec":{"containers":[{"name":"a"}],"volumes":[{"name":"v"},{"name":"v","secret":{"secretName":"git"}}]}}`,
	// Null, empty and absent lists.
	`{"metadata":{"annotations":null},"spec":{"containers":[{"env":null,"envFrom":[],"volumeMounts":null,"securityContext":null}],"volumes":[null],"imagePullSecrets":[{}],"initContainers":null}}`,
	`{"metadata":{"annotations":{"credence.dev/credentials":"tokens,bucket,git,hub"}},"spec":{"containers":[{"env":[null],"envFrom":[null],"volumeMounts":[null]}],"volumes":[null],"imagePullSecrets":[null]}}`,
	// A mirror pod.
	`{"metadata":{"annotations":{"kubernetes.io/config.mirror":"","credence.dev/credentials":"nothing"}},"spec":{}}`,
	// Owners.
	`{"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"annotations":{"credence.dev/credentials":"tokens"},"ownerReferences":[{"controller":true}]},"spec":{"template":{"spec":{"containers":[]}}}}`,
	`{"kind":"Job","apiVersion":"batch/v1","metadata":{"annotations":{"credence.dev/credentials":"tokens","credence.dev/carried":"credence.dev/credentials,env.credence.dev/A"}},"spec":{"template":{"metadata":{"annotations":{"env.credence.dev/A":"x"}},"spec":{"containers":[{"name":"a"}]}}}}`,
	`{"kind":"CronJob","apiVersion":"batch/v1","metadata":{"annotations":{"credence.dev/credentials":"tokens"}},"spec":{"jobTemplate":{"spec":{"template":{"metadata":null,"spec":{"containers":[{"name":"a"}]}}}}}}`,
	// Names with escapes.
	`{"\u0073pec":{"\u0063ontainers":[{"name":"\ud83d\ude00"}]},"metadata":{"annotations":{"credence.dev\/credentials":"tokens"}}}`,
	// Malformed.
	``, `null`, `{}`, `[]`, `"Pod"`, `0`, `{"spec":null}`, `{"spec":{"containers":[null]}}`, `{"spec":{"containers":{}}}`,
	`{"spec":{},"spec":{}}`, `{"spec":{"x":{"a":1,"a":2}}}`, `{"spec":{"containers":[]}} {}`, `{"spec":`, "\x00", "{\"spec\":{\"x\":\"\xff\"}}",
	`{"spec":{"x":"\ud800"}}`, `{"spec":{"securityContext":{"runAsUser":1e3}}}`, `{"spec":{"securityContext":{"runAsUser":9223372036854775808}}}`,
	`{"metadata":{"annotations":{"credence.dev/credentials":1}},"spec":{}}`, `{"metadata":{"annotations":{"a":null}},"spec":{}}`,
	`{"Spec":{"containers":[]}}`, `{"spec":{"Containers":[{"name":"a"}]}}`,
	strings.Repeat(`{"spec":`, 10_001), strings.Repeat("[", 100_000),
}

// FuzzInject holds the properties for documents of any form.
func FuzzInject(f *testing.F) {
	for _, c := range goldenCases(f) {
		documents, err := manifest.Read(golden.WorkloadFile, c.Workload)
		if err != nil {
			f.Add(c.Workload, false)
			continue
		}
		for _, document := range documents {
			f.Add(document.JSON, c.Flags.PullSecrets)
		}
	}
	for _, text := range oddDocuments {
		f.Add([]byte(text), true)
	}
	known, _ := catalogOf(f, "testdata/assets.yaml", credential.DefaultLayout())
	f.Fuzz(func(t *testing.T, text []byte, pullSecrets bool) {
		said := checkProperties(t, known, documentOf(text, pullSecrets))
		checkNothingOfOthers(t, string(text), said)
	})
}

// podsToAnnotate are as different as pods are where annotations matter.
var podsToAnnotate = []string{
	`{"containers":[{"name":"main","image":"images.example.net/app"}]}`,
	`{"securityContext":{"runAsNonRoot":true,"fsGroup":1},"initContainers":[{"name":"setup","image":"nginx","env":[{"name":"A","value":"x"}]}],
	  "containers":[{"name":"main","image":"registry.example.com/app","securityContext":{"runAsUser":0},"envFrom":[{"secretRef":{"name":"tokens"}}],
	    "volumeMounts":[{"name":"v","mountPath":"/a"}],"volumeDevices":[{"name":"d","devicePath":"/d"}]},{"name":"tool","image":"quay.io/team/app","env":[]}],
	  "volumes":[{"name":"v","secret":{"secretName":"git","defaultMode":256}},{"name":"credence-tokens"}],"imagePullSecrets":[]}`,
	`{"containers":[]}`,
	`{"initContainers":[{"name":"setup","image":"credence.invalid/environment"}],
	  "containers":[{"name":"main","image":"credence.invalid/environment","command":["run"],"imagePullPolicy":"Always","env":[{"name":"LOG_LEVEL","value":"x"}]}]}`,
}

// FuzzAnnotations holds the properties for two annotations of any form on pods
// that are well formed, and on a workload with such a template.
func FuzzAnnotations(f *testing.F) {
	for _, c := range goldenCases(f) {
		document, ok := c.Pod()
		var decoded pod.Pod
		if !ok || json.Unmarshal(document, &decoded) != nil {
			continue
		}
		var flat []string
		for key, value := range decoded.Metadata.Annotations {
			flat = append(flat, key, value)
		}
		flat = append(flat, "a", "b", "c", "d")
		f.Add(flat[0], flat[1], flat[2], flat[3], uint8(len(flat)))
	}
	for _, key := range []string{"credence.dev/credentials", "mount.credence.dev/a", "env.credence.dev/A", "credence.dev/env"} {
		for _, value := range []string{"git:/a", "git:/d;mode=0;keys=privateKey=a", "tokens/TOKEN_A;containers=main", "A=tokens/TOKEN_A\nB=tokens/TOKEN_B", "openai,git,tokens,bucket,hub", "rival-key", ",", ";", "=", "\x00"} {
			f.Add(key, value, "credence.dev/containers", "tool", uint8(1))
		}
	}
	for _, value := range []string{"pytorch", "plain", "docs,code", "notebooks, weights", "notebook", "rival-environment", "sales-figures", ",", ""} {
		for _, key := range []string{"credence.dev/environment", "credence.dev/data-sources", "credence.dev/template"} {
			f.Add(key, value, "credence.dev/containers", "main", uint8(6))
			f.Add(key, value, "credence.dev/environment", "slim", uint8(0))
		}
	}
	known, _ := catalogOf(f, "testdata/assets.yaml", credential.DefaultLayout())
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, which uint8) {
		annotations := map[string]string{key1: value1, key2: value2}
		spec := json.RawMessage(podsToAnnotate[int(which/2)%len(podsToAnnotate)])
		var object any = map[string]any{"metadata": map[string]any{"annotations": annotations}, "spec": spec}
		if which%2 == 1 {
			object = map[string]any{
				"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"annotations": annotations},
				"spec": map[string]any{"template": map[string]any{"spec": spec}},
			}
		}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		said := checkProperties(t, known, documentOf(text, which%4 < 2))
		checkNothingOfOthers(t, string(text), said)
	})
}

// checkNothingOfOthers holds that nothing is said of what only others have, unless
// the user said it himself.
func checkNothingOfOthers(t *testing.T, written string, said []string) {
	t.Helper()
	for _, theirs := range []string{"rival", "RIVAL", "sales", "SALES", "forecast"} {
		if strings.Contains(strings.Join(said, "\n"), theirs) && !strings.Contains(written, theirs) {
			t.Errorf("tells of %q: %q", theirs, said)
		}
	}
}
