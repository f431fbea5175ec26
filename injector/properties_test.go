// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/workload"
)

// checkProperties injects into a document and holds what must be true of every
// document:
//
//   - a refusal is one bounded line, and comes with nothing else;
//   - the patch applies to the document as received;
//   - nothing of the user's is removed or changed, except where an environment takes
//     the place of its placeholder;
//   - applied to its own result the injector finds nothing more to do;
//   - it makes no difference how long the lists are that things are looked for in.
//
// It returns everything that is said to the user.
func checkProperties(t testing.TB, known injector.Catalog, document injector.Document) (said []string) {
	t.Helper()
	result, err := injector.InjectDocument(known, document)
	if err != nil {
		var refusal *injector.Refusal
		if !errors.As(err, &refusal) {
			t.Fatalf("the error is no refusal: %v", err)
		}
		if len(result.Operations) > 0 || len(result.Warnings) > 0 || len(result.Record) > 0 {
			t.Errorf("refused, and %+v all the same", result)
		}
		checkSentence(t, refusal.Error(), 1500)
		return []string{refusal.Error()}
	}
	if len(result.Warnings) > 5 {
		t.Errorf("%d warnings", len(result.Warnings))
	}
	for _, warning := range result.Warnings {
		checkSentence(t, warning, 200)
	}
	patched, err := patch.Apply(document.JSON, result.Operations)
	if err != nil {
		t.Fatalf("the patch does not apply: %v", err)
	}
	checkKept(t, document, patched)
	original := document.JSON
	document.JSON = patched
	again, err := injector.InjectDocument(known, document)
	if err != nil {
		t.Fatalf("refused the second time: %v\n%s", err, patched)
	}
	if len(again.Operations) > 0 {
		t.Errorf("the second time there is more to do: %+v\n%s", again.Operations, patched)
	}
	checkLength(t, known, document, original, result)
	return append(result.Warnings, fmt.Sprint(result.Operations))
}

// checkLength holds that a pod gets the same when its lists have many items more
// that are none of our business, behind those that they have.
func checkLength(t testing.TB, known injector.Catalog, document injector.Document, original []byte, want injector.Result) {
	t.Helper()
	object := parse(t, original)
	template := at(object, strings.FieldsFunc(prefixOf(document), func(r rune) bool { return r == '/' })...)
	spec, ok := at(template, "spec").(map[string]any)
	if !ok {
		return
	}
	lengthen(spec, "volumes", "name", "filler-%d", "emptyDir")
	for _, field := range []string{"initContainers", "containers"} {
		containers, _ := spec[field].([]any)
		for _, container := range containers {
			container, _ := container.(map[string]any)
			lengthen(container, "env", "name", "FILLER_%d", "valueFrom")
			lengthen(container, "envFrom", "prefix", "FILLER_%d", "configMapRef")
			lengthen(container, "volumeMounts", "mountPath", "/filler/%d", "")
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	document.JSON = text
	got, err := injector.InjectDocument(known, document)
	if err != nil {
		t.Fatalf("refused with longer lists: %v\n%s", err, original)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with longer lists (-want +got):\n%s\n%s", diff, original)
	}
}

// lengthen adds items to a list that there is.
func lengthen(object map[string]any, field, name, format, value string) {
	list, ok := object[field].([]any)
	if !ok {
		return
	}
	for i := range 40 {
		item := map[string]any{name: fmt.Sprintf(format, i)}
		if value != "" {
			item[value] = map[string]any{}
		}
		list = append(list, item)
	}
	object[field] = list
}

// checkSentence holds the form of what is said to people.
func checkSentence(t testing.TB, text string, length int) {
	t.Helper()
	if len(text) > length {
		t.Errorf("%d bytes are said: %s", len(text), text)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("not one line of text: %q", text)
	}
	if strings.HasSuffix(text, ".") || strings.TrimSpace(text) == "" {
		t.Errorf("not one sentence: %q", text)
	}
}

// checkKept holds that everything in the original is at its place in the result,
// but for the annotations that are Credence's own.
func checkKept(t testing.TB, document injector.Document, patched []byte) {
	t.Helper()
	original, result := parse(t, document.JSON), parse(t, patched)
	exempt := map[string]bool{}
	carried, _ := at(original, "metadata", "annotations", v1alpha1.AnnotationCarried).(string)
	template := prefixOf(document) + "/metadata/annotations/"
	for _, item := range append(strings.Split(carried, ","), v1alpha1.AnnotationInjected, v1alpha1.AnnotationWarnings) {
		if key, _, _ := strings.Cut(item, "="); annotation.Ours(key) {
			exempt[template+key] = true
		}
	}
	exempt["/metadata/annotations/"+v1alpha1.AnnotationCarried] = true
	if where := missing("", original, result, exempt); where != "" {
		t.Errorf("%s is not what it was\nbefore: %s\nafter: %s", where, document.JSON, patched)
	}
}

// parse reads JSON with its numbers to the letter.
func parse(t testing.TB, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return value
}

func at(value any, path ...string) any {
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// placed are the members of a container that an environment may replace.
var placed = []string{"image", "imagePullPolicy", "command", "args"}

// missing returns the place of something that is in the original and not in the
// result. Null is nothing. Lists may have gained items.
func missing(where string, original, result any, exempt map[string]bool) string {
	switch original := original.(type) {
	case nil:
		return ""
	case map[string]any:
		result, ok := result.(map[string]any)
		if !ok {
			return where + "/"
		}
		for name, value := range original {
			place := where + "/" + name
			if exempt[place] || original["image"] == v1alpha1.EnvironmentPlaceholder && slices.Contains(placed, name) {
				continue
			}
			kept, there := result[name]
			if !there {
				return place
			}
			if place := missing(place, value, kept, exempt); place != "" {
				return place
			}
		}
		return ""
	case []any:
		result, ok := result.([]any)
		if !ok {
			return where + "/"
		}
		for i, value := range original {
			at := slices.IndexFunc(result, func(kept any) bool { return missing("", value, kept, nil) == "" })
			if strings.HasSuffix(strings.ToLower(where), "containers") { // whose order counts, and whose members get more
				at = 0
				for strings.HasSuffix(where, "/initContainers") && len(result) > len(original)-i {
					result = result[1:] // a fetcher of ours, which goes first
				}
				if place := missing(where+"/"+strconv.Itoa(i), value, result[0], exempt); place != "" {
					return place
				}
			}
			if at < 0 {
				return where + "/" + strconv.Itoa(i)
			}
			result = result[at+1:]
		}
		return ""
	}
	if original != result {
		return where
	}
	return ""
}

// documentOf guesses what a document is, for documents that may be anything.
func documentOf(text []byte, pullSecrets bool) injector.Document {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	_ = json.Unmarshal(text, &head) // of what is malformed it is a Pod that is tried
	kind, _ := workload.KindOf(head.APIVersion, head.Kind)
	if len(kind.Paths) > 1 || len(kind.Paths) == 1 && strings.Contains(kind.Paths[0].String(), "*") {
		kind = workload.Kind{} // what is held below is of one place
	}
	return injector.Document{JSON: text, Kind: kind, Namespace: "team-a", PullSecrets: pullSecrets}
}

// prefixOf is where a document has its only template.
func prefixOf(document injector.Document) string {
	if len(document.Kind.Paths) == 0 {
		return ""
	}
	return strings.ReplaceAll(document.Kind.Paths[0].String(), ".", "/")
}
