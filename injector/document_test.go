// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"bytes"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
)

// TestUntouchedBytes holds that what no operation touches stays to the letter:
// numbers, escapes and fields that nobody knows.
func TestUntouchedBytes(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	parts := []string{
		`"futureField":{"b":[1.0,1e2,-0,0.10,12345678901234567890123,1E400],"a":null}`,
		`"text":"\u003c\u2028\ud83d\ude00\/<>&"`,
		`{"name":"V","value":"","future":{"z":1,"a":2}}`,
		`"resources":{"limits":{"cpu":0.50,"memory":1e+09}}`,
		`{"name":"v","emptyDir":{},"future":1}`,
		`{"name":"own","future":true}`,
		`"status":{"x":1.50}`,
		`"labels":{"b":"1","a":"\u0032"}`,
	}
	document := []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"credence.dev/credentials":"tokens, git, hub, bucket"},` + parts[7] + `},` + parts[6] +
		`,"spec":{` + parts[0] + `,` + parts[1] + `,"containers":[{"name":"main","env":[` + parts[2] + `],` + parts[3] + `}],"volumes":[` + parts[4] + `],"imagePullSecrets":[` + parts[5] + `]}}`)
	result, err := injector.InjectDocument(known, injector.Document{JSON: document, Namespace: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(document, result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if !bytes.Contains(patched, []byte(part)) {
			t.Errorf("%s is not as it was in\n%s", part, patched)
		}
	}
}
