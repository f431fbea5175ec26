// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/credence-dev/credence/manifest"
)

const benchmarkPod = `apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations:
    credence.dev/credentials: tokens
spec:
  containers:
  - name: main
    image: images.example.net/app
`

const benchmarkPodJSON = `{
  "apiVersion": "v1",
  "kind": "Pod",
  "metadata": {"name": "web", "annotations": {"credence.dev/credentials": "tokens"}},
  "spec": {
    "containers": [{"name": "main", "image": "images.example.net/app"}]
  }
}
`

// shapes are manifests of about so many pods or, where they hold one object, ten
// lines for each.
var shapes = map[string]func(n int) string{
	"documents": func(n int) string { return strings.Repeat(benchmarkPod+"---\n", n) },
	"list": func(n int) string {
		item := "- " + strings.ReplaceAll(strings.TrimSpace(benchmarkPod), "\n", "\n  ") + "\n"
		return "apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat(item, n)
	},
	"text":          func(n int) string { return "data:\n  text: |\n" + strings.Repeat("    some text\n", 10*n) },
	"line":          func(n int) string { return "data:\n  text: '" + strings.Repeat("some text ", 10*n) + "'\n" },
	"keys":          func(n int) string { return "data:\n" + numbered("  key-%d: value\n", 10*n) },
	"comments":      func(n int) string { return strings.Repeat("# a comment\n", 10*n) + benchmarkPod },
	"comments only": func(n int) string { return strings.Repeat("# a comment\n", 10*n) },
	"separators":    func(n int) string { return strings.Repeat("---\n# a comment\n", 5*n) + benchmarkPod },
	"JSON":          func(n int) string { return strings.Repeat(benchmarkPodJSON, n) },
	"JSON list": func(n int) string {
		return `{"apiVersion": "v1", "kind": "List", "items": [` + strings.Repeat(benchmarkPodJSON+",", n-1) + benchmarkPodJSON + "]}"
	},
}

func numbered(format string, n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// BenchmarkManifest reads, injects and writes. What is done for a byte must not
// depend on the size.
func BenchmarkManifest(b *testing.B) {
	known := sharedCatalog(b)
	for name, shape := range shapes {
		for _, n := range []int{500, 5000} {
			text := []byte(shape(n))
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					documents, err := manifest.Read("file", text)
					if err != nil {
						b.Fatal(err)
					}
					injected := make([]manifest.Injected, len(documents))
					for i, document := range documents {
						if injected[i], err = manifest.Inject(known, document, manifest.Options{Namespace: "team-a"}); err != nil {
							b.Fatal(err)
						}
					}
					if err := manifest.Write(io.Discard, injected, manifest.YAML); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// faults are malformed texts, of about ten lines for each n.
var faults = map[string]func(n int) string{
	"last line":  func(n int) string { return numbered("key-%d: value\n", 10*n) + "a: 'b\n" },
	"first line": func(n int) string { return "a: [\n" + numbered("key-%d: value\n", 10*n) },
	"long lists": func(n int) string {
		return "a:\n" + strings.Repeat("- ["+strings.Repeat("b,\n", 19)+"c]\n", n/2) + "d: 'e\n"
	},
	"list in lists": func(n int) string { return strings.Repeat("a: [b,\n", n) },
	"JSON":          func(n int) string { return strings.Repeat(benchmarkPodJSON, n) + "{" },
	"JSON comma":    func(n int) string { return "{" + numbered("\"key-%d\": 1,\n", 10*n) + ",}" },
}

// BenchmarkFault reads what is malformed, and looks for the line.
func BenchmarkFault(b *testing.B) {
	for name, fault := range faults {
		for _, n := range []int{500, 5000} {
			text := []byte(fault(n))
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if _, err := manifest.Read("file", text); err == nil {
						b.Fatal("reads it")
					}
				}
			})
		}
	}
}
