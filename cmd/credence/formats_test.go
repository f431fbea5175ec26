// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/injector/golden"
)

// TestInjectFormatsAgree holds that the three forms of output mean the same document,
// also where an environment takes the place of its placeholder.
func TestInjectFormatsAgree(t *testing.T) {
	cases, err := golden.Load(goldenFolder)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		document, isPod := c.Pod()
		if !isPod || c.Want == nil || c.Flags.Output != "yaml" {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			arguments := injectArguments(t, &c)
			t.Chdir(c.Folder)
			outputs := map[string]string{}
			for _, format := range []string{"yaml", "json", "patch"} {
				stdout, _, err := runInject(append(arguments, "-o", format))
				if err != nil {
					t.Fatal(err)
				}
				outputs[format] = stdout
			}
			want := plain(t, []byte(outputs["yaml"]))
			if diff := cmp.Diff(want, plain(t, []byte(outputs["json"]))); diff != "" {
				t.Errorf("JSON (-YAML +JSON):\n%s", diff)
			}
			patched := document
			if strings.TrimSpace(outputs["patch"]) != "" {
				operations, err := jsonpatch.DecodePatch([]byte(outputs["patch"]))
				if err != nil {
					t.Fatal(err)
				}
				if patched, err = operations.Apply(document); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, plain(t, patched)); diff != "" {
				t.Errorf("patch (-YAML +patched):\n%s", diff)
			}
		})
	}
	if ran < 50 {
		t.Errorf("only %d cases ran", ran)
	}
}

// plain is a document as plain values.
func plain(t *testing.T, document []byte) (value any) {
	t.Helper()
	text, err := yaml.YAMLToJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestFetchFlags: what a cluster fetches with can be given offline, too, and is refused
// before anything is read if no pod could be made of it.
func TestFetchFlags(t *testing.T) {
	t.Chdir(goldenFolder + "/data-source-git")
	arguments := []string{"-f", golden.WorkloadFile, "--assets", "../" + golden.AssetsFile, "-n", "team-a"}
	stdout, _, err := runInject(append(arguments, "--git-image=mirror.example.com/git-sync:v4", "--fetch-requests=", "--fetch-limits=cpu=1, memory=1Gi",
		"--data-size-limit=5Mi", "--ca-config-map=trust"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: mirror.example.com/git-sync:v4", "resources:\n      limits:\n        cpu: \"1\"\n        memory: 1Gi\n", "sizeLimit: 5Mi", "configMap:\n      name: trust"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	for _, flag := range []string{
		"--git-image=", "--s3-image=a b", "--fetch-limits=memory", "--fetch-limits=memory=much", "--fetch-requests=,", "--data-size-limit=0", "--ca-config-map=A b",
	} {
		if stdout, _, err := runInject(append(arguments, flag)); err == nil || stdout != "" {
			t.Errorf("%s: got error %v and output %q", flag, err, stdout)
		}
	}
}

// TestInjectWorkloadKind: a kind that a WorkloadKind among the assets tells of is
// injected into.
func TestInjectWorkloadKind(t *testing.T) {
	workload, kind := t.TempDir()+"/pipe.json", t.TempDir()+"/kind.json"
	for file, text := range map[string]string{
		workload: `{"apiVersion": "example.com/v1", "kind": "Pipe", "metadata": {"annotations": {"credence.dev/credentials": "tokens"}}, "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}`,
		kind:     `{"apiVersion": "credence.dev/v1alpha1", "kind": "WorkloadKind", "metadata": {"name": "pipes"}, "spec": {"apiVersion": "example.com/v1", "kind": "Pipe", "podTemplatePaths": [".spec.template"]}}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	arguments := []string{"-f", workload, "--assets", goldenFolder + "/" + golden.AssetsFile, "--assets", kind, "-n", "team-a", "-o", "patch"}
	stdout, stderr, err := runInject(arguments)
	if err != nil || !strings.Contains(stdout, "/spec/template/spec/containers/0/envFrom") || strings.Contains(stderr, "Pipe") {
		t.Errorf("error %v, output %q, warnings %q", err, stdout, stderr)
	}
}
