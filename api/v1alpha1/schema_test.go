// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
)

var update = flag.Bool("update", false, "write what is wrong with testdata/invalid into its files")

// TestCRDsAreAccepted asks what the API server asks when a CRD is created: is the
// schema structural, do the rules compile, and is their estimated cost within
// the limits.
func TestCRDsAreAccepted(t *testing.T) {
	for _, plural := range plurals(t) {
		crd, _ := readCRD(t, plural)
		crd.Status.StoredVersions = []string{v1alpha1.GroupVersion.Version} // as the strategy sets it
		for _, err := range validation.ValidateCustomResourceDefinition(t.Context(), crd) {
			t.Errorf("%s: %v", plural, err)
		}
	}
}

// TestRulesCompileOnOldestKubernetes compiles every rule with the CEL library of
// the oldest version that Credence supports.
func TestRulesCompileOnOldestKubernetes(t *testing.T) {
	oldest := environment.MustBaseEnvSet(version.MajorMinor(1, 30))
	var compile func(path string, s *schema.Structural, isRoot bool)
	compile = func(path string, s *schema.Structural, isRoot bool) {
		results, err := cel.Compile(s, model.SchemaDeclType(s, isRoot), celconfig.PerCallLimit, oldest, cel.NewExpressionsEnvLoader())
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for i, result := range results {
			if result.Error != nil {
				t.Errorf("%s: rule %q: %v", path, s.XValidations[i].Rule, result.Error)
			}
		}
		for name, property := range s.Properties {
			compile(path+"."+name, &property, false)
		}
		if s.Items != nil {
			compile(path+"[]", s.Items, false)
		}
	}
	for _, plural := range plurals(t) {
		compile(plural, newAPIServer(t, plural).structural, true)
	}
}

// TestValid creates every document of testdata/valid, and updates each document
// of a file to the next. The status is written as the controller does.
func TestValid(t *testing.T) {
	servers := newAPIServers(t)
	for name, file := range cases(t, "valid") {
		t.Run(name, func(t *testing.T) {
			documents := readDocuments(t, file)
			for i, document := range documents {
				server := servers.of(t, document)
				if unknown := server.receive(document.DeepCopy()); len(unknown) > 0 {
					t.Errorf("document %d has fields that the schema does not know: %v", i+1, unknown)
				}
				wantErrors(t, server.create(t.Context(), document.DeepCopy()), nil)
				wantErrors(t, server.updateStatus(t.Context(), withoutStatus(document), document.DeepCopy()), nil)
				if i > 0 {
					wantErrors(t, server.update(t.Context(), documents[i-1].DeepCopy(), document.DeepCopy()), nil)
				}
			}
		})
	}
}

// TestInvalid holds the documents of testdata/invalid against the messages in
// the comment they begin with. A file with two documents is an update from the
// first, which is valid, to the second. "# status" begins the comment of a file
// whose status is what is wrong.
func TestInvalid(t *testing.T) {
	servers := newAPIServers(t)
	for name, file := range cases(t, "invalid") {
		t.Run(name, func(t *testing.T) {
			documents, want := readDocuments(t, file), leadingComment(t, file)
			last := documents[len(documents)-1]
			server := servers.of(t, last)
			var got []string
			switch {
			case len(want) > 0 && want[0] == "status":
				got = append([]string{"status"}, server.updateStatus(t.Context(), withoutStatus(last), last)...)
			case len(documents) == 1:
				got = server.create(t.Context(), last)
			default:
				wantErrors(t, server.create(t.Context(), documents[0].DeepCopy()), nil)
				got = server.update(t.Context(), documents[0], last)
			}
			if *update {
				writeLeadingComment(t, file, got)
			} else {
				wantErrors(t, got, want)
			}
			if len(got) == 0 || got[len(got)-1] == "status" {
				t.Error("is valid")
			}
		})
	}
}

// TestEveryRuleFails finds rules whose message no document of the kind in
// testdata/invalid expects.
func TestEveryRuleFails(t *testing.T) {
	comments := map[string]string{} // by kind
	for _, file := range cases(t, "invalid") {
		comments[readDocuments(t, file)[0].GetKind()] += strings.Join(leadingComment(t, file), "\n")
	}
	for kind, server := range newAPIServers(t) {
		var walk func(path string, s *schema.Structural)
		walk = func(path string, s *schema.Structural) {
			for _, rule := range s.XValidations {
				if rule.Message == "" || !strings.Contains(comments[kind], rule.Message) {
					t.Errorf("%s%s: no case in testdata/invalid breaks the rule %q (message %q)", kind, path, rule.Rule, rule.Message)
				}
			}
			for name, property := range s.Properties {
				walk(path+"."+name, &property)
			}
			if s.Items != nil {
				walk(path+"[]", s.Items)
			}
		}
		walk("", server.structural)
	}
}

// TestDefaults holds what the API server fills in.
func TestDefaults(t *testing.T) {
	obj := readDocuments(t, "testdata/valid/minimal.yaml")[0]
	newAPIServer(t, "credentials").receive(obj)
	want := map[string]any{
		"type":        "generic",
		"scope":       map[string]any{"level": "project"},
		"secretRef":   map[string]any{"name": "settings"},
		"propagation": "Always",
	}
	if diff := cmp.Diff(want, obj.Object["spec"]); diff != "" {
		t.Errorf("defaulted spec (-want +got):\n%s", diff)
	}
}

// TestGoTypesFitSchema writes every valid document by way of the Go type: no
// field is lost, and what Go writes beside it, such as counts of zero, is valid.
func TestGoTypesFitSchema(t *testing.T) {
	servers, scheme := newAPIServers(t), runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, file := range cases(t, "valid") {
		t.Run(name, func(t *testing.T) {
			for _, document := range readDocuments(t, file) {
				text, err := yaml.Marshal(document.Object)
				if err != nil {
					t.Fatal(err)
				}
				server := servers.of(t, document)
				typed, err := scheme.New(document.GroupVersionKind())
				if err != nil {
					t.Fatal(err)
				}
				if err := yaml.UnmarshalStrict(text, typed); err != nil {
					t.Fatal(err)
				}
				written := marshal(t, typed)
				wantErrors(t, server.create(t.Context(), written.DeepCopy()), nil)
				wantErrors(t, server.updateStatus(t.Context(), withoutStatus(written), written.DeepCopy()), nil)
				if diff := cmp.Diff(document.Object["spec"], written.Object["spec"]); diff != "" {
					t.Errorf("spec through the Go type (-yaml +go):\n%s", diff)
				}
			}
		})
	}
}

func cases(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/%s (%v)", folder, err)
	}
	byName := make(map[string]string, len(files))
	for _, file := range files {
		byName[strings.TrimSuffix(filepath.Base(file), ".yaml")] = file
	}
	return byName
}

// leadingComment returns the lines of the comment a file begins with.
func leadingComment(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		line, isComment := strings.CutPrefix(scanner.Text(), "# ")
		if !isComment {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

func writeLeadingComment(t *testing.T, file string, lines []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body := string(text)
	for strings.HasPrefix(body, "#") {
		_, body, _ = strings.Cut(body, "\n")
	}
	comment := "# " + strings.Join(lines, "\n# ") + "\n"
	if err := os.WriteFile(file, []byte(comment+body), 0o644); err != nil {
		t.Fatal(err)
	}
}

func withoutStatus(obj *unstructured.Unstructured) *unstructured.Unstructured {
	bare := obj.DeepCopy()
	delete(bare.Object, "status")
	return bare
}

func marshal(t *testing.T, obj any) *unstructured.Unstructured {
	t.Helper()
	text, err := yaml.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	written := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &written.Object); err != nil {
		t.Fatal(err)
	}
	return written
}

func wantErrors(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
