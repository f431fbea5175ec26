// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/manifest"
)

func readAssets(t *testing.T, text string) (*manifest.Assets, error) {
	t.Helper()
	documents, err := manifest.Read("assets.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return manifest.ReadAssets(documents)
}

func TestReadAssets(t *testing.T) {
	assets, err := readAssets(t, `
# Lists, Lists of one kind, and what is none of our business.
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: a}, spec: {finalizers: [kubernetes]}, status: {phase: Active}, future: {}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: 5}}
- {apiVersion: v1, kind: SecretList, items: [{metadata: {name: b}, data: {k: Y2FuYXJ5}}, {metadata: {name: c}, stringData: {k: v}}]}
---
apiVersion: credence.dev/v1alpha1
kind: CredentialList
items:
- {metadata: {name: d}, spec: {type: generic, scope: {level: project}, secretRef: {name: b}}}
- {apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: e}, spec: {type: generic, scope: {level: project}, secretRef: {name: c}}}
---
{"apiVersion": "v1", "kind": "NamespaceList", "items": null}
---
{apiVersion: example.com/v1, kind: Credential, spec: 5}
---
{apiVersion: example.com/v1, kind: PriceList, items: 5}
---
# nothing
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range assets.Namespaces {
		got = append(got, "Namespace "+o.Name)
	}
	for _, o := range assets.Secrets {
		got = append(got, "Secret "+o.Name)
	}
	for _, o := range assets.Credentials {
		got = append(got, "Credential "+o.Name)
	}
	if diff := cmp.Diff([]string{"Namespace a", "Secret b", "Secret c", "Credential d", "Credential e"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadAssetsErrors(t *testing.T) {
	const first = "apiVersion: v1\nkind: Pod\n---\n" // the next document begins in line 4
	const credential = "apiVersion: credence.dev/v1alpha1\nkind: Credential\n"
	const secret = "apiVersion: v1\nkind: Secret\n"
	const badSecret = "the Secret cannot be read: a field is unknown or has the wrong type, or data is not base64"
	const spec = "metadata: {name: c, namespace: team-a}\nspec:\n  type: generic\n  scope: {level: project}\n"
	for name, test := range map[string]struct{ text, want string }{
		"unknown field":        {first + credential + "spec:\n  type: generic\n  secret: canary\n", `document 2 (line 8): the Credential cannot be read: unknown field "spec.secret"`},
		"unknown field, deep":  {credential + "spec:\n  injection:\n    env:\n    - name: A\n      keys: b\n", `document 1 (line 7): the Credential cannot be read: unknown field "spec.injection.env[0].keys"`},
		"field in other case":  {credential + "Spec: {}\n", `document 1 (line 3): the Credential cannot be read: unknown field "Spec"`},
		"wrong type":           {credential + "spec:\n  type: generic\n  scope: cluster\n", "document 1 (line 5): the Credential cannot be read: spec.scope must not be a JSON string"},
		"wrong type in status": {credential + "status:\n  observedGeneration: one\n", "document 1 (line 4): the Credential cannot be read: status.observedGeneration must not be a JSON string"},
		"item of a list":       {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n- " + strings.ReplaceAll(credential, "\n", "\n  ") + "spec:\n    typ: a\n", `document 1 (line 9): the Credential cannot be read: unknown field "spec.typ"`},
		"secret, wrong type":   {secret + "stringData: {a: [canary]}\n", "document 1 (line 3): " + badSecret},
		"secret, no base64":    {first + secret + "data: {a: canary!}\n", "document 2 (line 4): " + badSecret},
		"secret, field":        {secret + "metadata: {}\ncanary: {a: b}\n", "document 1 (line 4): " + badSecret},
		"namespace":            {"apiVersion: v1\nkind: Namespace\nmetadata:\n  labels:\n    a: true\n", "document 1 (line 4): the Namespace cannot be read: metadata.labels must not be a JSON bool"},
		"no source":            {first + credential + spec, "document 2 (line 7): the Credential is not valid: spec.secretRef: Required value"},
		"no spec":              {credential + "metadata: {name: c}\n", "document 1 (line 1): the Credential is not valid: spec: Required value"},
		"no name":              {first + credential + "metadata:\n  namespace: team-a\n", "document 2 (line 6): the Credential is not valid: metadata.name: Required value: name or generateName is required"},
		"only half a name":     {credential + "metadata:\n  generateName: c-\n", "document 1 (line 3): the Credential is not valid: metadata.name: Required value: name or generateName is required"},
		"long name":            {credential + "metadata: {name: " + strings.Repeat("c", 60) + "}\nspec: {type: generic, scope: {level: cluster}, secretRef: {name: s}}\n", "document 1 (line 3): the Credential is not valid: metadata: Invalid value: metadata.name must be a DNS label of at most 52 characters: lower case letters, digits and '-'; it is what workloads write"},
		"no department":        {credential + "metadata: {name: c}\nspec:\n  type: generic\n  scope:\n    level: department\n  secretRef: {name: s}\n", "document 1 (line 6): the Credential is not valid: spec.scope: Invalid value: department must be set for the level department, and only for it"},
		"name of a variable":   {credential + spec + "  secretRef: {name: s}\n  injection:\n    env:\n    - name: A=B\n      key: k\n", "document 1 (line 10): the Credential is not valid: spec.injection.env[0].name: Invalid value: name must be one or more printable ASCII characters other than '='"},
		"type":                 {credential + "metadata: {name: c}\nspec:\n  type: canary\n  scope: {level: cluster}\n  secretRef: {name: s}\n", `document 1 (line 5): the Credential is not valid: spec.type: Unsupported value: supported values: "docker-registry", "access-key", "password", "ssh-key", "generic"`},
		"another version":      {first + "kind: Credential\napiVersion: credence.dev/v1beta1\n", `document 2 (line 4): credence.dev/v1beta1 Credential is not a kind that this version of Credence knows; did you mean "credence.dev/v1alpha1 Credential"?`},
		"kind in lower case":   {"apiVersion: credence.dev/v1alpha1\nkind: credential\n", `document 1 (line 2): credence.dev/v1alpha1 credential is not a kind that this version of Credence knows; did you mean "credence.dev/v1alpha1 Credential"?`},
		"another kind of ours": {"apiVersion: Credence.dev/v1\nkind: \"a\\e[1m\"\n", `document 1 (line 2): Credence.dev/v1 "a\x1b[1m" is not a kind that this version of Credence knows`},
		"namespace, no name":   {"apiVersion: v1\nkind: Namespace\nmetadata: {labels: {}}\n", "document 1 (line 3): the Namespace is not valid: metadata.name: Required value: name or generateName is required"},
		"namespace, name":      {"apiVersion: v1\nkind: Namespace\nmetadata: {name: a.canary}\n", "document 1 (line 3): the Namespace is not valid: metadata.name: Invalid value: must not contain dots"},
		"secret, no name":      {secret + "stringData: {a: canary}\n", "document 1 (line 1): the Secret is not valid: metadata.name: Required value: name or generateName is required"},
		"kind":                 {first + "kind: [canary]\n", "document 2 (line 4): not a Kubernetes object: /kind must be a string, not a JSON array"},
		"items":                {"apiVersion: v1\nkind: List\nitems: canary\n", "document 1 (line 3): not a Kubernetes object: /items must be a list"},
		"item":                 {"apiVersion: v1\nkind: List\nitems:\n- {}\n- canary\n", "document 1 (line 5): not a Kubernetes object: it must be an object, not a JSON string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAssets(t, test.text)
			if err == nil {
				t.Fatal("reads it")
			}
			if diff := cmp.Diff("assets.yaml, "+test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadAssetsAsTheAPIServer reads what the tests of the CRD know to be valid or not.
func TestReadAssetsAsTheAPIServer(t *testing.T) {
	for folder, valid := range map[string]bool{"valid": true, "invalid": false} {
		files, err := filepath.Glob("../api/v1alpha1/testdata/" + folder + "/*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files (%v)", err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if !valid && (strings.HasPrefix(name, "update-") || strings.HasPrefix(name, "status-")) {
				continue // about what was before, or what only a controller writes
			}
			t.Run(folder+"/"+name, func(t *testing.T) {
				documents, err := manifest.ReadFile(file, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := manifest.ReadAssets(documents); (err == nil) != valid {
					t.Errorf("got error %v", err)
				}
			})
		}
	}
}

// TestReadAssetsSeen holds that a Credential which a cluster has is taken as it is:
// the cluster's CRD may be another one.
func TestReadAssetsSeen(t *testing.T) {
	const text = "{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: c}, spec: {type: of-tomorrow, scope: {level: project}, secretRef: {name: s}}, status: {observedGeneration: 1}}"
	assets, err := readAssets(t, text)
	if err != nil || len(assets.Credentials) != 1 {
		t.Errorf("got error %v", err)
	}
}

const project = "{apiVersion: v1, kind: Namespace, metadata: {name: team-a, labels: {credence.dev/project: team-a}}}\n"

func TestCatalog(t *testing.T) {
	const (
		older   = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: older, namespace: team-a, creationTimestamp: '2026-01-01T00:00:00Z'}, spec: {type: generic, scope: {level: project}, secretRef: {name: s}}}\n"
		newer   = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: newer, namespace: team-a, creationTimestamp: '2026-01-02T00:00:00Z'}, spec: {type: generic, scope: {level: project}, secretRef: {name: s}}}\n"
		planned = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: planned}, spec: {type: generic, scope: {level: project}, secretRef: {name: s}}}\n"
		later   = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: later}, spec: {type: generic, scope: {level: project}, secretRef: {name: s}}}\n"
		settled = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: settled, namespace: team-a, creationTimestamp: '2026-01-01T00:00:00Z'}, spec: {type: generic, scope: {level: project}, secretRef: {name: s}}, status: {observedGeneration: 1, keys: [{key: SETTLED}]}}\n"
		claims  = "---\n{apiVersion: credence.dev/v1alpha1, kind: Credential, metadata: {name: claims, namespace: team-a, creationTimestamp: '2026-01-01T00:00:00Z'}, spec: {type: password, scope: {level: project}, secretRef: {name: s}}}\n"
		secret  = "---\n{apiVersion: v1, kind: Secret, metadata: {name: s, labels: {run.ai/resource: generic}}, stringData: {A: canary}}\n"
	)
	inUse := func(of, by string) string {
		return "credential team-a/" + of + ": Secret team-a/s already is the source of credential " + by + "; one source serves one credential: refer to another Secret, or delete that credential"
	}
	for name, test := range map[string]struct {
		text     string
		visible  []string
		problems []string
		known    map[string]bool // whether the keys are
	}{
		"nothing":                    {text: ""},
		"without the secret":         {text: project + planned, visible: []string{"planned"}, known: map[string]bool{"planned": false}},
		"with the secret":            {text: project + planned + secret, visible: []string{"planned"}, known: map[string]bool{"planned": true}},
		"in another order":           {text: secret + planned + "---\n" + project, visible: []string{"planned"}, known: map[string]bool{"planned": true}},
		"the older has the source":   {text: project + newer + older + secret, visible: []string{"newer", "older"}, problems: []string{inUse("newer", "older")}, known: map[string]bool{"older": true, "newer": false}},
		"what exists has the source": {text: project + planned + newer + secret, visible: []string{"newer", "planned"}, problems: []string{inUse("planned", "newer")}},
		"the first of those planned": {text: project + later + planned + secret, visible: []string{"later", "planned"}, problems: []string{inUse("planned", "later")}},
		"one with a status has, too": {text: project + planned + settled + secret, visible: []string{"planned", "settled"}, problems: []string{inUse("planned", "settled")}, known: map[string]bool{"settled": true}},
		"an older one that may not": {text: project + newer + claims + secret, visible: []string{"claims", "newer"},
			problems: []string{"credential team-a/claims: Secret team-a/s is labelled run.ai/resource=generic; label it run.ai/resource=password to authorize it for a credential of type password"},
			known:    map[string]bool{"newer": true}},
		"the same twice is one":         {text: project + planned + planned + secret, visible: []string{"planned"}, known: map[string]bool{"planned": true}},
		"outside a project":             {text: planned + secret, problems: []string{"credential team-a/planned: namespace team-a is not a project, not a department's home and not the system namespace; label it credence.dev/project=<name>, or create the credential elsewhere"}},
		"a status is taken at its word": {text: project + settled, visible: []string{"settled"}, known: map[string]bool{"settled": true}},
	} {
		t.Run(name, func(t *testing.T) {
			assets, err := readAssets(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			known, problems := assets.Catalog(credential.DefaultLayout(), "team-a")
			place, _ := known.Place("team-a")
			if diff := cmp.Diff(test.visible, known.Visible(place)); diff != "" {
				t.Errorf("visible (-want +got):\n%s", diff)
			}
			var got []string
			for _, problem := range problems {
				got = append(got, problem.Error())
			}
			if diff := cmp.Diff(test.problems, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for name, want := range test.known {
				entry, ok := known.Lookup(place, name)
				if !ok || entry.KeysKnown != want {
					t.Errorf("keys of %s known: %t", name, !want)
				}
			}
		})
	}
}
