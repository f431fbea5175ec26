// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/manifest"
)

// Objects of every kind of ours are read, alone and in Lists, and looked up from where
// they are.
func TestCatalogOfAssets(t *testing.T) {
	assets, err := readAssets(t, project+`---
apiVersion: credence.dev/v1alpha1
kind: EnvironmentList
items:
- {metadata: {name: torch}, spec: {scope: {level: project}, image: registry.example.com/torch}}
- {metadata: {name: wide, namespace: credence-credentials}, spec: {scope: {level: cluster}, env: [{name: A, value: x}]}}
- {metadata: {name: elsewhere, namespace: team-b}, spec: {scope: {level: project}, env: [{name: A, value: x}]}}
---
{apiVersion: credence.dev/v1alpha1, kind: DataSource, metadata: {name: papers}, spec: {scope: {level: project}, s3: {bucket: papers, path: /papers}}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: credence.dev/v1alpha1, kind: WorkloadTemplate, metadata: {name: training}, spec: {scope: {level: project}, environment: nowhere}}
- {apiVersion: credence.dev/v1alpha1, kind: WorkloadKind, metadata: {name: jobs}, spec: {apiVersion: example.com/v1, kind: Training, podTemplatePaths: [.spec.template]}}
---
{apiVersion: credence.dev/v1alpha1, kind: DataSource, metadata: {name: papers, namespace: team-a}, spec: {scope: {level: project}, s3: {bucket: another, path: /papers}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	known, problems := assets.Catalog(credential.DefaultLayout(), "team-a")
	if len(problems) > 0 {
		t.Errorf("what nobody names is a problem: %v", problems)
	}
	place, _ := known.Place("team-a")
	for kind, want := range map[asset.Kind][]string{
		asset.Environment: {"torch", "wide"}, asset.DataSource: {"papers"}, asset.WorkloadTemplate: {"training"},
	} {
		if diff := cmp.Diff(want, known.VisibleAssets(kind, place)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	if papers, ok := known.LookupAsset(asset.DataSource, place, "papers"); !ok || papers.DataSource.S3.Bucket != "another" {
		t.Errorf("of two with one name the last counts: %+v", papers)
	}
	if len(assets.WorkloadKinds) != 1 || assets.WorkloadKinds[0].Spec.Kind != "Training" {
		t.Errorf("kinds of workloads are %+v", assets.WorkloadKinds)
	}
	if assets.Environments[0].Namespace != "" {
		t.Error("what was read is changed")
	}
}

func TestReadAssetsErrorsOfEveryKind(t *testing.T) {
	head := func(kind, spec string) string {
		return "# a comment\napiVersion: credence.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: it}\nspec:\n  scope: {level: project}\n" + spec
	}
	for name, test := range map[string]struct{ text, want string }{
		"environment, unknown field": {head("Environment", "  images: a\n"), `(line 7): the Environment cannot be read: unknown field "spec.images"`},
		"environment, wrong type":    {head("Environment", "  env:\n    A: not-a-secret\n"), "(line 7): the Environment cannot be read: spec.env must not be a JSON object"},
		"environment, rule":          {head("Environment", "  command: [train]\n"), "(line 5): the Environment is not valid: spec: Invalid value: imagePullPolicy, command, args and workingDir go with an image"},
		"data source, two":           {head("DataSource", "  s3: {bucket: b, path: /b}\n  git: {repository: 'https://git.example.com/a', path: /a}\n"), "(line 5): the DataSource is not valid: spec: Invalid value: a data source is exactly one of git, s3 and secret"},
		"data source, repository":    {head("DataSource", "  git:\n    path: /a\n    repository: http://git.example.com/a\n"), "(line 9): the DataSource is not valid: spec.git.repository: Invalid value: repository must begin with https://, ssh:// or user@"},
		"template, nothing":          {head("WorkloadTemplate", ""), "(line 5): the WorkloadTemplate is not valid: spec: Invalid value: a template needs at least one of environment, dataSources, credentials, env and mounts"},
		"template, path":             {head("WorkloadTemplate", "  mounts:\n  - credential: a\n    mountPath: /proc\n"), "(line 9): the WorkloadTemplate is not valid: spec.mounts[0].mountPath: Invalid value: the path must not be at or below /proc, /sys, /dev, /var/run/secrets/kubernetes.io or /run/secrets/kubernetes.io, nor above the last two"},
		"workload kind, path":        {"apiVersion: credence.dev/v1alpha1\nkind: WorkloadKind\nmetadata: {name: it}\nspec:\n  apiVersion: example.com/v1\n  kind: Training\n  podTemplatePaths: [$.spec]\n", "(line 7): the WorkloadKind is not valid: spec.podTemplatePaths: Invalid value: a path is made of .field, .* for every value of a map, and [*] for every item of a list"},
		"kind misspelt":              {head("Environments", ""), `(line 3): credence.dev/v1alpha1 Environments is not a kind that this version of Credence knows; did you mean "credence.dev/v1alpha1 Environment"?`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAssets(t, test.text)
			if diff := cmp.Diff("assets.yaml, document 1 "+test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An object that a cluster has is taken as it is: the cluster's CRD may be another one.
func TestReadAssetsSeenOfEveryKind(t *testing.T) {
	for kind, spec := range map[string]string{
		"Environment": "command: [a]", "DataSource": "displayName: ' '", "WorkloadTemplate": "displayName: ' '", "WorkloadKind": "kind: a",
	} {
		for status, valid := range map[string]bool{"{observedGeneration: 1}": true, "{}": false} {
			text := fmt.Sprintf("{apiVersion: credence.dev/v1alpha1, kind: %s, metadata: {name: it}, spec: {%s}, status: %s}", kind, spec, status)
			if _, err := readAssets(t, text); (err == nil) != valid {
				t.Errorf("%s with the status %s: %v", kind, status, err)
			}
		}
	}
}

// A WorkloadKind among the assets has objects of its kind injected into, at all its
// paths. Built-in kinds stay as they are.
func TestInjectIntoKindsOfOthers(t *testing.T) {
	assets, err := readAssets(t, project+`---
apiVersion: credence.dev/v1alpha1
kind: WorkloadKind
metadata: {name: pipes}
spec: {apiVersion: example.com/v1, kind: Pipe, podTemplatePaths: ['.spec.steps[*].template', .spec.workers.*.template]}
---
apiVersion: credence.dev/v1alpha1
kind: WorkloadKind
metadata: {name: broken}
spec: {kind: Broken}
status: {observedGeneration: 1}
---
apiVersion: credence.dev/v1alpha1
kind: Environment
metadata: {name: torch}
spec: {scope: {level: project}, env: [{name: A, value: x}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	known, _ := assets.Catalog(credential.DefaultLayout(), "team-a")
	documents, err := manifest.Read("pipe.yaml", []byte(`
apiVersion: example.com/v1beta1
kind: Pipe
metadata: {name: pipe, annotations: {credence.dev/environment: torch}}
spec:
  steps: [{template: {spec: {containers: [{name: a}]}}}, {name: empty}]
  workers: {w: {template: {spec: {containers: [{name: b}]}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, kinds := range []*workload.Registry{assets.Kinds(), nil} {
		result, err := manifest.Inject(known, documents[0], manifest.Options{Namespace: "team-a", Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, operation := range result.Operations {
			if strings.HasSuffix(operation.Path, "/env") {
				paths = append(paths, operation.Path)
			}
		}
		want, warnings := []string{"/spec/steps/0/template/spec/containers/0/env", "/spec/workers/w/template/spec/containers/0/env"}, 0
		if kinds == nil {
			want, warnings = nil, 1
		}
		if diff := cmp.Diff(want, paths); diff != "" || len(result.Warnings) != warnings {
			t.Errorf("(-want +got):\n%s, warnings %q", diff, result.Warnings)
		}
	}
}
