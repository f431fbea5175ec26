// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// dockerConfig makes a docker config with a login for each registry.
func dockerConfig(t testing.TB, registries ...string) []byte {
	t.Helper()
	auths := map[string]any{}
	for _, registry := range registries {
		auths[registry] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("someone:" + canary))}
	}
	config, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestRegistries(t *testing.T) {
	for name, test := range map[string]struct {
		auths []string
		want  []string
	}{
		"docker hub as docker login writes it": {auths: []string{"https://index.docker.io/v1/"}, want: []string{"index.docker.io"}},
		"docker hub without scheme":            {auths: []string{"index.docker.io/v1/"}, want: []string{"index.docker.io"}},
		"docker hub with version 2":            {auths: []string{"https://index.docker.io/v2/"}, want: []string{"index.docker.io"}},
		"docker hub bare":                      {auths: []string{"index.docker.io"}, want: []string{"index.docker.io"}},
		"docker hub by its other name":         {auths: []string{"docker.io"}, want: []string{"docker.io"}},
		"docker hub four times over": {
			auths: []string{"https://index.docker.io/v1/", "index.docker.io", "https://index.docker.io/", "docker.io"},
			want:  []string{"index.docker.io", "docker.io"},
		},
		"https":               {auths: []string{"https://quay.io"}, want: []string{"quay.io"}},
		"http":                {auths: []string{"http://registry.example.com:5000"}, want: []string{"registry.example.com:5000"}},
		"slash at the end":    {auths: []string{"quay.io/"}, want: []string{"quay.io"}},
		"port":                {auths: []string{"registry.example.com:5000"}, want: []string{"registry.example.com:5000"}},
		"upper case":          {auths: []string{"GHCR.io"}, want: []string{"GHCR.io"}},
		"path":                {auths: []string{"https://quay.io/team/project"}, want: []string{"quay.io/team/project"}},
		"path with slash":     {auths: []string{"quay.io/team/"}, want: []string{"quay.io/team/"}},
		"path after /v1/":     {auths: []string{"https://quay.io/v1/team"}, want: []string{"quay.io/team"}},
		"path after /v2/":     {auths: []string{"quay.io/v2/team"}, want: []string{"quay.io/team"}},
		"/v1 is a path":       {auths: []string{"quay.io/v1"}, want: []string{"quay.io/v1"}},
		"/v3/ is a path":      {auths: []string{"quay.io/v3/"}, want: []string{"quay.io/v3/"}},
		"glob":                {auths: []string{"*.dkr.ecr.*.amazonaws.com"}, want: []string{"*.dkr.ecr.*.amazonaws.com"}},
		"address":             {auths: []string{"192.0.2.1:5000"}, want: []string{"192.0.2.1:5000"}},
		"address of six":      {auths: []string{"[2001:db8::1]:5000"}, want: []string{"[2001:db8::1]:5000"}},
		"user in the URL":     {auths: []string{"https://someone:" + canary + "@quay.io/team"}, want: []string{"quay.io/team"}},
		"user without scheme": {auths: []string{"someone:" + canary + "@quay.io"}, want: []string{"quay.io"}},
		"query":               {auths: []string{"quay.io/team?token=" + canary}, want: []string{"quay.io/team"}},
		"fragment":            {auths: []string{"quay.io#" + canary}, want: []string{"quay.io"}},
		"most specific first": {
			auths: []string{"quay.io", "quay.io/team/project", "quay.io/team", "ghcr.io", "*.io"},
			want:  []string{"quay.io/team/project", "quay.io/team", "quay.io", "ghcr.io", "*.io"},
		},
		// These serve no image, at the kubelet as here. Of a scheme that the kubelet
		// does not know it makes a host, and of user and password a path.
		"scheme in upper case":   {auths: []string{"HTTPS://someone:" + canary + "@quay.io", "quay.io"}, want: []string{"quay.io"}},
		"scheme of artifacts":    {auths: []string{"oci://someone:" + canary + "@quay.io", "quay.io"}, want: []string{"quay.io"}},
		"upper case in the path": {auths: []string{"quay.io/Team", "quay.io"}, want: []string{"quay.io"}},
		"escaped question mark":  {auths: []string{"quay.io/%3Ftoken=" + canary, "quay.io"}, want: []string{"quay.io"}},
		"underscore in the host": {auths: []string{"my_registry:5000", "quay.io"}, want: []string{"quay.io"}},
		"not ASCII":              {auths: []string{"bücher.example", "quay.io"}, want: []string{"quay.io"}},
		"no host":                {auths: []string{"https:///team", ":5000", "", "quay.io"}, want: []string{"quay.io"}},
		"no URL":                 {auths: []string{"quay.io:port", "a b", "%zz", "quay.io"}, want: []string{"quay.io"}},
		"too long":               {auths: []string{"quay.io/" + strings.Repeat("a/", 300), "quay.io"}, want: []string{"quay.io"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credential.Registries(dockerConfig(t, test.auths...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRegistriesTakes holds shapes of a config that the kubelet takes.
func TestRegistriesTakes(t *testing.T) {
	for name, config := range map[string]string{
		"no login":                 `{"auths": {"quay.io": {}}}`,
		"login of null":            `{"auths": {"quay.io": null}}`,
		"user and password":        `{"auths": {"quay.io": {"username": "someone", "password": "not-a-secret", "email": "a@b"}}}`,
		"empty auth":               `{"auths": {"quay.io": {"auth": ""}}}`,
		"auth without padding":     `{"auths": {"quay.io": {"auth": "YWE6Yg"}}}`,
		"auth with padding":        `{"auths": {"quay.io": {"auth": "YWE6Yg=="}}}`,
		"auth with a line break":   `{"auths": {"quay.io": {"auth": "YWE6\nYg=="}}}`,
		"other fields":             `{"auths": {"quay.io": {"identitytoken": "not-a-secret"}}, "credsStore": "desktop", "HttpHeaders": {"a": "b"}}`,
		"names in other case":      `{"Auths": {"quay.io": {"Auth": "YWE6Yg=="}}}`,
		"more than one credential": `{"auths": {"https://quay.io": {}, "quay.io": {}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credential.Registries([]byte(config))
			if diff := cmp.Diff([]string{"quay.io"}, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRegistriesRefuses(t *testing.T) {
	const (
		notJSON  = "is not the JSON of a docker config"
		noAuths  = `has no "auths"`
		badAuth  = `has an "auth" that is not the base64 of <user>:<password>; make the Secret again with kubectl create secret docker-registry`
		nothing  = `has no registry in "auths" that an image could come from; add one with its login`
		tooMany  = "has 65 registries, and at most 64 are supported"
		anything = `"username": "someone", "password": "` + canary + `"`
	)
	many := make([]string, v1alpha1.MaxStatusRegistries+1)
	for i := range many {
		many[i] = fmt.Sprintf("registry-%d.example.com", i)
	}
	for name, test := range map[string]struct{ config, want string }{
		"nothing at all":         {config: "", want: notJSON},
		"no JSON":                {config: canary, want: notJSON},
		"JSON cut short":         {config: `{"auths": {"quay.io": {` + anything, want: notJSON},
		"a list":                 {config: `["` + canary + `"]`, want: notJSON},
		"auths a string":         {config: `{"auths": "` + canary + `"}`, want: notJSON},
		"login a string":         {config: `{"auths": {"quay.io": "` + canary + `"}}`, want: notJSON},
		"password a number":      {config: `{"auths": {"quay.io": {"password": 7}}}`, want: notJSON},
		"headers of numbers":     {config: `{"auths": {"quay.io": {}}, "HttpHeaders": {"a": 7}}`, want: notJSON},
		"null":                   {config: "null", want: noAuths},
		"no auths":               {config: `{"credsStore": "` + canary + `"}`, want: noAuths},
		"auths of null":          {config: `{"auths": null}`, want: noAuths},
		"legacy config":          {config: `{"quay.io": {` + anything + `}}`, want: noAuths},
		"auth not base64":        {config: `{"auths": {"quay.io": {"auth": "` + canary + `:"}}}`, want: badAuth},
		"auth without a colon":   {config: `{"auths": {"quay.io": {"auth": "` + base64.StdEncoding.EncodeToString([]byte(canary)) + `"}}}`, want: badAuth},
		"auth with blanks":       {config: `{"auths": {"quay.io": {"auth": " YWE6Yg== "}}}`, want: badAuth},
		"one auth of two is bad": {config: `{"auths": {"quay.io": {"auth": "YWE6Yg=="}, "ghcr.io": {"auth": "?"}}}`, want: badAuth},
		"empty auths":            {config: `{"auths": {}}`, want: nothing},
		"nothing usable":         {config: `{"auths": {"HTTPS://someone:` + canary + `@quay.io": {}}}`, want: nothing},
		"too many":               {config: string(dockerConfig(t, many...)), want: tooMany},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credential.Registries([]byte(test.config))
			if err == nil {
				t.Fatalf("takes it: %q", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegistriesTakesTheMost(t *testing.T) {
	most := make([]string, 0, 2*v1alpha1.MaxStatusRegistries)
	for i := range v1alpha1.MaxStatusRegistries {
		host := fmt.Sprintf("registry-%d.example.com", i)
		most = append(most, host, "https://"+host+"/v1/")
	}
	got, err := credential.Registries(dockerConfig(t, most...))
	if err != nil || len(got) != v1alpha1.MaxStatusRegistries {
		t.Errorf("got %d registries and error %v", len(got), err)
	}
}

func TestServes(t *testing.T) {
	for name, test := range map[string]struct {
		pattern string
		serves  []string
		not     []string
	}{
		"docker hub as docker login writes it": {
			pattern: "index.docker.io",
			serves: []string{
				"nginx", "nginx:1.27", "library/nginx", "team/app", "docker.io/nginx", "docker.io/team/app:v1",
				"index.docker.io/library/nginx", "localhost/app", "1/app", "Team/app",
			},
			not: []string{"quay.io/team/app", "localhost:5000/app", "docker.io:443/nginx", "registry-1.docker.io/library/nginx"},
		},
		"docker hub": {
			pattern: "docker.io",
			serves:  []string{"nginx", "team/app", "docker.io/team/app", "index.docker.io/team/app"},
			not:     []string{"localhost/app", "quay.io/docker.io/app"},
		},
		"part of docker hub": {
			pattern: "docker.io/team",
			serves:  []string{"team/app", "docker.io/team/app@sha256:" + strings.Repeat("a", 64)},
			not:     []string{"nginx", "other/app"},
		},
		"docker hub with a path is no default": {
			pattern: "index.docker.io/team",
			not:     []string{"team/app", "index.docker.io/team/app"},
		},
		"host": {
			pattern: "quay.io",
			serves:  []string{"quay.io/team/app", "quay.io/a", "quay.io/a@sha512:" + strings.Repeat("a", 128)},
			not:     []string{"quay.io.example.com/a", "a.quay.io/a", "quay.io:443/a", "Quay.io/a", "team/app"},
		},
		"port": {
			pattern: "registry.example.com:5000",
			serves:  []string{"registry.example.com:5000/a:v1"},
			not:     []string{"registry.example.com/a", "registry.example.com:5001/a"},
		},
		"path is a prefix of letters": {
			pattern: "quay.io/team",
			serves:  []string{"quay.io/team", "quay.io/team/app", "quay.io/team-b/app"},
			not:     []string{"quay.io/tea", "quay.io/other/team"},
		},
		"path with slash": {
			pattern: "quay.io/team/",
			serves:  []string{"quay.io/team/app"},
			not:     []string{"quay.io/team", "quay.io/team-b/app"},
		},
		"path with a version": {
			pattern: "quay.io/v1",
			serves:  []string{"quay.io/v1/app"},
			not:     []string{"quay.io/app"},
		},
		"glob for one label": {
			pattern: "*.example.com",
			serves:  []string{"registry.example.com/a"},
			not:     []string{"example.com/a", "a.b.example.com/a"},
		},
		"globs in labels": {
			pattern: "*.dkr.ecr.eu-*.amazonaws.com",
			serves:  []string{"0123.dkr.ecr.eu-central-1.amazonaws.com/a"},
			not:     []string{"0123.dkr.ecr.us-east-1.amazonaws.com/a"},
		},
		"glob for everything without a dot": {pattern: "*", serves: []string{"localhost/a"}, not: []string{"nginx", "quay.io/a"}},
		"glob in the path is none":          {pattern: "quay.io/*", not: []string{"quay.io/a"}},
		"glob in the port is none":          {pattern: "quay.io:*", not: []string{"quay.io:5000/a", "quay.io/a"}},
		"address of six with port":          {pattern: "[2001:db8::1]:5000", serves: []string{"[2001:db8::1]:5000/a"}, not: []string{"[2001:db8::1]/a"}},
		"address of six is a glob": { // at the kubelet too: path.Match takes the brackets for a set of letters
			pattern: "[2001:db8::1]", not: []string{"[2001:db8::1]/a"},
		},
		"empty":  {pattern: "", not: []string{"nginx", "quay.io/a", "localhost/a"}},
		"no URL": {pattern: "quay.io/%zz", not: []string{"quay.io/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			pattern := credential.ParsePattern(test.pattern)
			if got := pattern.String(); got != test.pattern {
				t.Errorf("pattern %q says it is %q", test.pattern, got)
			}
			for want, refs := range map[bool][]string{true: test.serves, false: test.not} {
				for _, ref := range refs {
					image, ok := credential.ParseImage(ref)
					if !ok {
						t.Errorf("image %q cannot be parsed", ref)
					}
					if got := pattern.Serves(image); got != want {
						t.Errorf("%q serves %q: %v", test.pattern, ref, got)
					}
				}
			}
		})
	}
}

func TestParseImageRefuses(t *testing.T) {
	for _, ref := range []string{
		"", " nginx", "nginx ", "Nginx", "quay.io/Team/app", "https://quay.io/a", "quay.io/a:b:c", "quay.io//a", "-a", "a@sha256:abc",
		strings.Repeat("a", 64), "quay.io/" + strings.Repeat("a", 300),
	} {
		if _, ok := credential.ParseImage(ref); ok {
			t.Errorf("takes %q", ref)
		}
	}
}
