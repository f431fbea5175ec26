// SPDX-License-Identifier: Apache-2.0

package annotation_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/annotation"
)

// matchCondition is the expression that the webhooks' match conditions use.
var matchCondition = regexp.MustCompile(`(?i)^([a-z0-9-]+[.])*credence[.]dev/`)

// keys are annotation keys near the edge of our domains, and what they are.
var keys = map[string]struct{ ours, asks bool }{
	"credence.dev/credentials":     {ours: true, asks: true},
	"credence.dev/inject":          {ours: true, asks: true},
	"credence.dev/anything":        {ours: true, asks: true},
	"credence.dev/":                {ours: true, asks: true},
	"credence.dev//":               {ours: true, asks: true},
	"env.credence.dev/A":           {ours: true, asks: true},
	"mount.credence.dev/a":         {ours: true, asks: true},
	"a.b-c.0.credence.dev/x":       {ours: true, asks: true},
	"-.credence.dev/x":             {ours: true, asks: true},
	"Credence.dev/credentials":     {ours: true, asks: true},
	"CREDENCE.DEV/injected":        {ours: true, asks: true},
	"ENV.credence.dev/A":           {ours: true, asks: true},
	"credence.dev/Injected":        {ours: true, asks: true},
	"credence.dev/injected":        {ours: true},
	"credence.dev/restarted-for":   {ours: true},
	"credence.dev/restarts":        {ours: true},
	"credence.dev/carried":         {ours: true},
	"env.credence.dev/injected":    {ours: true, asks: true},
	"":                             {},
	"/":                            {},
	"credence.dev":                 {},
	"credence_dev/x":               {},
	"credencexdev/x":               {},
	".credence.dev/x":              {},
	"..credence.dev/x":             {},
	"a..credence.dev/x":            {},
	"a_b.credence.dev/x":           {},
	"notcredence.dev/x":            {},
	"not-credence.dev/x":           {},
	"credence.dev.example.com/x":   {},
	"example.com/credence.dev/x":   {},
	"x/env.credence.dev/A":         {},
	" credence.dev/x":              {},
	"credence.dev /x":              {},
	"é.credence.dev/x":             {},
	"credence.deν/x":               {},
	"kubernetes.io/config.mirror":  {},
	"a.credence.dev.credence.de/x": {},
}

func TestOurs(t *testing.T) {
	for key, want := range keys {
		t.Run(key, func(t *testing.T) {
			if got := annotation.Ours(key); got != want.ours {
				t.Errorf("ours: %t", got)
			}
			if got := annotation.Asks(key); got != want.asks {
				t.Errorf("asks: %t", got)
			}
			if got := annotation.AsksAny(map[string]string{"a": "", key: ""}); got != want.asks {
				t.Errorf("asks among others: %t", got)
			}
		})
	}
}

// FuzzOurs holds that what asks is just what the match conditions bring.
func FuzzOurs(f *testing.F) {
	for key := range keys {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if strings.ContainsFunc(key, func(r rune) bool { return r > 0x7f }) {
			return // the API server takes no such keys
		}
		if got, want := annotation.Ours(key), matchCondition.MatchString(key); got != want {
			t.Errorf("ours: %t, match condition: %t", got, want)
		}
		if annotation.Asks(key) && !annotation.Ours(key) {
			t.Error("asks, and is not ours")
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"bucket", "openai", "hub", "openai-2", "a", "s3", "main", "mail", ""}
	for name, want := range map[string]string{
		"bukcet":                    `; did you mean "bucket"?`,
		"open-ai":                   `; did you mean "openai"?`,
		"openai-1":                  `; did you mean "openai-2"?`,
		"openai-":                   `; did you mean "openai"?`, // the first of two as near
		"huh":                       `; did you mean "hub"?`,
		"b":                         `; did you mean "a"?`,
		"bucket":                    "",
		"database":                  "",
		"123":                       "", // one letter in common is not much
		"mian":                      `; did you mean "main"?`,
		"maix":                      `; did you mean "main"?`,
		"":                          "",
		strings.Repeat("hub", 1000): "",
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, annotation.Nearest(name, names)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                            `""`,
		"plain":                       `"plain"`,
		"it's \"so\"\n":               `"it's \"so\"\n"`,
		"é\x00":                       `"é\x00"`,
		strings.Repeat("a", 80):       `"` + strings.Repeat("a", 80) + `"`,
		strings.Repeat("a", 81):       `"` + strings.Repeat("a", 80) + `…"`,
		strings.Repeat("é", 100):      `"` + strings.Repeat("é", 40) + `…"`,
		strings.Repeat("a", 79) + "é": `"` + strings.Repeat("a", 79) + `…"`,
	} {
		if diff := cmp.Diff(want, annotation.Quote(text)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestErrorKey(t *testing.T) {
	for key, want := range map[string]string{
		"credence.dev/x":                           "annotation credence.dev/x: bad",
		"credence.dev/x y":                         `annotation "credence.dev/x y": bad`,
		"credence.dev/\n":                          `annotation "credence.dev/\n": bad`,
		"credence.dev/" + strings.Repeat("a", 400): `annotation "credence.dev/` + strings.Repeat("a", 67) + `…": bad`,
	} {
		if diff := cmp.Diff(want, (&annotation.Error{Annotation: key, Problem: "bad"}).Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
