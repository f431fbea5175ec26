// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/manifest"
)

const goldenFolder = "../injector/testdata"

// canary is in every text where a Secret's values may be.
const canary = "canary"

// sharedCatalog is that of the golden cases.
func sharedCatalog(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	documents, err := manifest.ReadFile(goldenFolder+"/"+golden.AssetsFile, nil)
	if err != nil {
		tb.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		tb.Fatal(err)
	}
	known, _ := assets.Catalog(credential.DefaultLayout(), "team-a")
	return known
}

func addManifests(f *testing.F) {
	f.Helper()
	cases, err := golden.Load(goldenFolder)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.Workload)
		if c.Want != nil {
			f.Add(c.Want)
		}
	}
	for _, text := range []string{
		"", "---", "...", "--- ", "\ufeff", "{", "{}", "[", "a: *canary", "~: canary", "? [canary]\n: b", "a: !!int canary", "a: !!binary canary", "- canary",
		"a: &a [*a]", "a: &canary {b: 1}\nc: *canary\n", "a: .inf", "%YAML 1.2\n---\na: b", "a: |\n  b\n...\nc: d", "\"a\": \"\\ud83d\"", "a: 'canary", "{\"a\": \"canary", "{\"a\": 1, \"a\": canary}",
		"apiVersion: v1\nkind: Secret\nstringData:\n  password: canary\n  other: {canary: canary}\n",
		"apiVersion: v1\nkind: Secret\ndata:\n  password: canary!\n", "apiVersion: v1\nkind: SecretList\nitems: [{data: [canary]}, {type: {canary: 1}}]\n",
	} {
		f.Add([]byte(text))
	}
}

// FuzzRead holds that reading never panics, that what is malformed is named by
// its place and nothing of it repeated, and that YAML is written as it was read, byte
// for byte.
func FuzzRead(f *testing.F) {
	addManifests(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		documents, err := manifest.Read("file", text)
		if err != nil {
			checkPlace(t, err)
			return
		}
		if _, err := manifest.ReadAssets(documents); err != nil && bytes.Contains(text, []byte("Secret")) {
			checkPlace(t, err)
		}
		injected := make([]manifest.Injected, len(documents))
		for i := range documents {
			injected[i].Document = documents[i]
		}
		var out bytes.Buffer
		if err := manifest.Write(&out, injected, manifest.YAML); err != nil {
			t.Fatal(err)
		}
		checkSame(t, jsonOf(documents), jsonOf(readBack(t, out.Bytes())), out.String())
		isJSON := func(d manifest.Document) bool { return d.IsJSON }
		encoded := bytes.HasPrefix(text, []byte("\ufeff")) || bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
		if len(documents) > 0 && !encoded && !slices.ContainsFunc(documents, isJSON) && !bytes.Equal(text, out.Bytes()) {
			t.Errorf("not byte for byte\n%q\n%q", text, out.String())
		}
	})
}

// FuzzInject holds that YAML with the patch in it means the same as JSON with the
// patch applied.
func FuzzInject(f *testing.F) {
	addManifests(f)
	known := sharedCatalog(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		documents, err := manifest.Read("file", text)
		if err != nil {
			return
		}
		var injected []manifest.Injected
		var want [][]byte
		for _, document := range documents {
			result, err := manifest.Inject(known, document, manifest.Options{Namespace: "team-a", PullSecrets: true})
			if err != nil {
				if !strings.HasPrefix(err.Error(), "file, document ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("no place: %v", err)
				}
				return
			}
			injected = append(injected, result)
			if document.JSON != nil {
				patched, err := patch.Apply(document.JSON, result.Operations)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, patched)
			}
		}
		for _, format := range []manifest.Format{manifest.YAML, manifest.JSON, manifest.Patch} {
			var out bytes.Buffer
			if err := manifest.Write(&out, injected, format); err != nil {
				t.Fatal(err)
			}
			if format == manifest.Patch {
				continue
			}
			again := readBack(t, out.Bytes())
			checkSame(t, want, jsonOf(again), out.String())
			for _, document := range again {
				result, err := manifest.Inject(known, document, manifest.Options{Namespace: "team-a", PullSecrets: true})
				if err != nil || len(result.Operations) > 0 {
					t.Errorf("the second time: %v, %v", err, result.Operations)
				}
			}
		}
	})
}

func checkPlace(t *testing.T, err error) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), "file, document ") || !strings.Contains(err.Error(), "(line ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("no place: %v", err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("repeats a value: %v", err)
	}
}

func readBack(t *testing.T, text []byte) []manifest.Document {
	t.Helper()
	documents, err := manifest.Read("out", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return documents
}

func jsonOf(documents []manifest.Document) (texts [][]byte) {
	for _, document := range documents {
		if document.JSON != nil {
			texts = append(texts, document.JSON)
		}
	}
	return texts
}

func checkSame(t *testing.T, want, got [][]byte, out string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d documents became %d:\n%s", len(want), len(got), out)
	}
	for i := range want {
		if !reflect.DeepEqual(meaning(t, want[i]), meaning(t, got[i])) {
			t.Errorf("want %s, got %s from\n%s", want[i], got[i], out)
		}
	}
}

// meaning reads JSON with numbers by their values. What is too large for one is
// text to readers of YAML.
func meaning(t *testing.T, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return byValue(value)
}

func byValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = byValue(member)
		}
	case []any:
		for i := range value {
			value[i] = byValue(value[i])
		}
	case json.Number:
		number, err := strconv.ParseFloat(value.String(), 64)
		if err != nil {
			return value.String()
		}
		return number
	}
	return value
}
