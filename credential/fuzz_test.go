// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// FuzzRegistries: no input panics, an error tells nothing of it, and neither
// does a pattern tell more than the name of a registry.
func FuzzRegistries(f *testing.F) {
	for _, registry := range []string{"https://index.docker.io/v1/", "HTTPS://a:b@c", "oci://a:b@c/d", "*.io", "[::1]:5000", "a%20b", "quay.io/%3Fa", "\xff", "a:b@c/d?e#f"} {
		f.Add(registry)
	}
	f.Add("quay.io/\x00")
	f.Fuzz(func(t *testing.T, registry string) {
		if _, err := credential.Registries([]byte(registry)); err != nil && !slices.Contains(registryErrors, err.Error()) {
			t.Errorf("unknown error %q", err)
		}
		patterns, err := credential.Registries(dockerConfig(t, registry))
		if err != nil {
			if !slices.Contains(registryErrors, err.Error()) {
				t.Errorf("unknown error %q", err)
			}
			return
		}
		for _, pattern := range patterns {
			if strings.ContainsAny(pattern, "@?#%\" \n") || strings.Contains(pattern, "//") || len(pattern) > 512 {
				t.Errorf("pattern %q of %q is no registry", pattern, registry)
			}
			credential.ParsePattern(pattern)
		}
	})
}

var registryErrors = []string{
	"is not the JSON of a docker config",
	`has no "auths"`,
	`has an "auth" that is not the base64 of <user>:<password>`,
	`has no registry in "auths" that an image could come from; add one with its login`,
}

// FuzzServes: the matching agrees with itself, whatever pattern and image.
func FuzzServes(f *testing.F) {
	for _, seed := range [][2]string{
		{"index.docker.io", "nginx"}, {"quay.io/team", "quay.io/team/app:v1"}, {"*.io", "quay.io/a"}, {"localhost", "localhost/a"},
		{"[::1]:5000", "[::1]:5000/a"}, {"[a]", "A/b"}, {"a.b:5000/c", "a.b:5000/c@sha256:" + strings.Repeat("0", 64)},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, ref string) {
		pattern := credential.ParsePattern(text)
		image, ok := credential.ParseImage(ref)
		if !ok {
			if pattern.Serves(image) {
				t.Errorf("%q serves the image %q, which is none", text, ref)
			}
			return
		}
		serves := pattern.Serves(image)
		if serves != credential.ParsePattern(pattern.String()).Serves(image) {
			t.Errorf("%q serves %q by turns", text, ref)
		}
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			t.Fatalf("image %q is none to its own parser: %v", ref, err)
		}
		name := named.Name()
		for _, same := range []string{name, name + ":v1", name + "@sha256:" + strings.Repeat("0", 64)} {
			if image, ok := credential.ParseImage(same); !ok || pattern.Serves(image) != serves {
				t.Errorf("%q serves %q: %v, but not so %q", text, ref, serves, same)
			}
		}
		if below, ok := credential.ParseImage(name + "/below"); ok && serves && !pattern.Serves(below) {
			t.Errorf("%q serves %q and not what is below it", text, ref)
		}
		if !strings.HasPrefix(name, "[") && !credential.ParsePattern(name).Serves(image) {
			t.Errorf("the image %q is not served by its own name", ref)
		}
	})
}

// FuzzExamineTellsNoValue makes candidates of every kind, whole and broken, with
// a canary wherever a value can be. It must not turn up in what is told.
func FuzzExamineTellsNoValue(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		c := randomCandidate(rand.New(rand.NewPCG(seed, 0)))
		facts, problem := credential.Examine(c)
		again, problemAgain := credential.Examine(c)
		told := fmt.Sprintf("%+v %+v", facts, problem)
		if strings.Contains(told, canary) || strings.Contains(told, base64.StdEncoding.EncodeToString([]byte(canary))[:16]) {
			t.Errorf("the canary is told: %s", told)
		}
		if toldAgain := fmt.Sprintf("%+v %+v", again, problemAgain); told != toldAgain {
			t.Errorf("first %s\nthen %s", told, toldAgain)
		}
	})
}

func randomCandidate(r *rand.Rand) credential.Candidate {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	scopes := []v1alpha1.Scope{clusterScope, researchScope, projectScope}
	c := candidate(scopes[r.IntN(len(scopes))])
	definitions := credential.Definitions()
	c.Credential.Spec.Type = definitions[r.IntN(len(definitions))].Type
	c.Secret.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: canary}
	c.Secret.Type = corev1.SecretType(pick("", "Opaque", "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg", "kubernetes.io/basic-auth"))
	if r.IntN(4) > 0 { // else most candidates would fail early
		definition, _ := credential.DefinitionOf(c.Credential.Spec.Type)
		c.Secret.Labels[v1alpha1.LabelSourceType] = definition.SourceLabel
		c.Secret.Type = definition.NewSecretType
	}
	switch r.IntN(8) {
	case 0:
		c.Secret.Labels[v1alpha1.LabelSourceOf] = pick("openai", "hub")
	case 1:
		c.Secret.Labels[v1alpha1.LabelSourceDepartment] = pick("research", "sales")
	case 2:
		c.Owner = c.Credential
	}
	c.Secret.Data = map[string][]byte{}
	for _, key := range []string{"username", "password", "AccessKeyId", "SecretKey", "ssh", "known_hosts", "other"} {
		if r.IntN(3) > 0 {
			c.Secret.Data[key] = []byte(canary)
		}
		if r.IntN(6) == 0 {
			c.Secret.StringData = map[string]string{key: canary}
		}
	}
	if r.IntN(6) > 0 {
		c.Secret.Data[corev1.DockerConfigJsonKey] = randomDockerConfig(r)
	}
	return c
}

func randomDockerConfig(r *rand.Rand) []byte {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	login := map[string]any{
		"username": canary, "password": canary,
		"auth": pick("", canary, base64.StdEncoding.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte("someone:"+canary))),
	}
	registry := pick("", "https://", "http://", "HTTPS://", "oci://", "ftp://") +
		pick("", canary+"@", "someone:"+canary+"@", ":"+canary+"@") +
		pick("quay.io", "index.docker.io", "*.example.com:5000", "[::1]:5000", "quay.io:"+canary) +
		pick("", "/", "/v1/", "/v2/team", "/%2F/") +
		pick("", "?token="+canary, "#"+canary, "%3F"+canary)
	config, err := json.Marshal(map[string]any{pick("auths", "auths", "auths", "Auths", canary): map[string]any{registry: login}})
	if err != nil {
		panic(err)
	}
	if r.IntN(4) == 0 {
		return config[:r.IntN(len(config))]
	}
	return config
}
