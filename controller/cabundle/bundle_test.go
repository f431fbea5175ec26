// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"encoding/pem"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func block(kind, content string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
}

// What is spread is certificates and nothing else, and never a key.
func TestRead(t *testing.T) {
	good := block("CERTIFICATE", "one")
	for name, test := range map[string]struct {
		data map[string]string
		want string // empty: it can be spread
	}{
		"one":                  {data: map[string]string{Key: good}},
		"several, with words":  {data: map[string]string{Key: "# first\n" + good + "\nsecond\n" + block("CERTIFICATE", "two"), "other": "x"}},
		"no data":              {want: "no key"},
		"another key":          {data: map[string]string{"ca.pem": good}, want: "no key"},
		"empty":                {data: map[string]string{Key: ""}, want: "no certificate"},
		"words":                {data: map[string]string{Key: "certificates"}, want: "no certificate"},
		"a private key":        {data: map[string]string{Key: good + block("PRIVATE KEY", "not-a-key")}, want: "private key"},
		"a private key of EC":  {data: map[string]string{Key: block("EC PRIVATE KEY", "not-a-key") + good}, want: "private key"},
		"a broken private key": {data: map[string]string{Key: good + strings.ReplaceAll(block("PRIVATE KEY", "not-a-key"), "\n", "!")}, want: "private key"},
		"something else":       {data: map[string]string{Key: good + block("PUBLIC KEY", "not-a-key")}, want: "something else"},
		"too large":            {data: map[string]string{Key: good + strings.Repeat("#", maxSize)}, want: "1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(&corev1.ConfigMap{Data: test.data})
			if (got.problem == "") != (test.want == "") || !strings.Contains(got.problem, test.want) {
				t.Errorf("the problem is %q, want %q", got.problem, test.want)
			}
			if (got.text == "") != (test.want != "") || (got.fingerprint == "") != (test.want != "") {
				t.Errorf("it is %d bytes with the fingerprint %q, problem %q", len(got.text), got.fingerprint, got.problem)
			}
		})
	}
	a, b := read(&corev1.ConfigMap{Data: map[string]string{Key: good}}), read(&corev1.ConfigMap{Data: map[string]string{Key: good + "\n"}})
	if a.fingerprint == b.fingerprint || len(a.fingerprint) > 63 {
		t.Errorf("fingerprints %q and %q", a.fingerprint, b.fingerprint)
	}
}
