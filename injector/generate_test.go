// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/credence-dev/credence/credential"
)

// choices makes decisions of bytes, so that a fuzzer explores what is decided
// instead of how it is spelt.
type choices []byte

// below returns a number from 0 to n-1.
func (c *choices) below(n int) int {
	if len(*c) == 0 {
		return 0
	}
	choice := int((*c)[0]) % n
	*c = (*c)[1:]
	return choice
}

func (c *choices) of(from ...string) string { return from[c.below(len(from))] }

// some returns up to n things, joined.
func (c *choices) some(n int, one func() string) []string {
	var things []string
	for range c.below(n + 1) {
		things = append(things, one())
	}
	return things
}

// reference is a credential with one of its keys, mostly.
func (c *choices) reference() string {
	return c.of("tokens/TOKEN_A", "tokens/TOKEN_B", "more-tokens/TOKEN_B", "bucket/accessKeyId", "bucket/aws_secret_access_key",
		"git/privateKey", "openai/api-key", "hub/.dockerconfigjson", "coming/COMING", "unseen/any", "2nd-database/username", "settled/password")
}

func (c *choices) credential() string {
	return c.of("tokens", "more-tokens", "bucket", "git", "openai", "hub", "quay", "unseen", "settled", "warehouse", "coming", "many-keys", "unseen-registry")
}

func (c *choices) dataSource() string {
	return c.of("docs", "code", "notebooks", "lab", "images", "weights", "token-files", "all-tokens")
}

func (c *choices) variable() string {
	return c.of("A", "LOG_LEVEL", "TEAM", "OPENAI_KEY", "B", "TOKEN_A", "TOKEN_C", "AWS_ACCESS_KEY_ID", "K01")
}

func (c *choices) path() string {
	return c.of("/a", "/docs", "/data", "/keys", "/a/b", "/b", "/etc/openai", "/etc/openai/x", "/etc/credence", "/etc/credence/git", "/a/", "/proc/x")
}

func (c *choices) container() string { return c.of("main", "tool", "setup", "sidecar", "other") }

func (c *choices) containersOption() string {
	if c.below(4) > 0 {
		return ""
	}
	return ";containers=" + strings.Join(append(c.some(1, c.container), "main"), ",")
}

func (c *choices) annotations() map[string]string {
	annotations := map[string]string{}
	if c.below(2) == 1 {
		annotations["credence.dev/credentials"] = strings.Join(append(c.some(3, c.credential), c.credential()), ", ")
	}
	for range c.below(3) {
		annotations["env.credence.dev/"+c.variable()] = c.reference() + c.containersOption()
	}
	for i := range c.below(3) {
		value := c.credential() + ":" + c.path()
		value += c.of("", "", ";mode=0440", ";mode=400", ";mode=0444")
		value += c.of("", "", ";keys=TOKEN_A=f", ";keys=privateKey=id", ";keys=any,other=x/y")
		annotations[fmt.Sprintf("mount.credence.dev/%d", i)] = value + c.containersOption()
	}
	if c.below(3) == 0 {
		annotations["credence.dev/environment"] = c.of("pytorch", "plain", "slim")
	}
	if c.below(3) == 0 {
		annotations["credence.dev/data-sources"] = strings.Join(append(c.some(2, c.dataSource), c.dataSource()), ",")
	}
	if c.below(4) == 0 {
		annotations["credence.dev/template"] = "notebook"
	}
	switch c.below(8) {
	case 0:
		annotations["credence.dev/containers"] = c.of("main", "main,setup", "tool")
	case 1:
		annotations["credence.dev/env"] = c.variable() + "=" + c.reference() + "\n" + c.variable() + " = " + c.reference()
	case 2:
		annotations["credence.dev/injected"] = c.of(`{}`, `{"hub":["imagePullSecrets (automatic)"]}`, `[]`, `{"tokens":["envFrom"]}`)
	case 3:
		annotations["credence.dev/carried"] = c.of("", "credence.dev/credentials", "env.credence.dev/A,mount.credence.dev/0", "a,b")
	}
	return annotations
}

type object = map[string]any

func (c *choices) list(n int, one func() object) any {
	switch count := c.below(n + 2); count {
	case 0:
		return nil
	default:
		list := []object{}
		for range count - 1 {
			list = append(list, one())
		}
		return list
	}
}

func (c *choices) env() object {
	switch c.below(3) {
	case 0:
		return object{"name": c.variable(), "value": c.of("own", "debug", "a")}
	case 1:
		return object{"name": c.variable(), "valueFrom": object{"fieldRef": object{"fieldPath": "metadata.name"}}}
	}
	secret, key, _ := strings.Cut(c.reference(), "/")
	return object{"name": c.variable(), "valueFrom": object{"secretKeyRef": object{"name": c.of(secret, "accesskey-bucket"), "key": c.of(key, "aws_access_key_id")}}}
}

func (c *choices) envFrom() object {
	from := object{"secretRef": object{"name": c.of("tokens", "more-tokens", "unseen", "genericsecret-coming")}}
	if c.below(3) == 0 {
		from["prefix"] = c.of("", "P_")
	}
	return from
}

func (c *choices) volumeMount() object {
	mount := object{"name": c.volumeName(), "mountPath": c.path()}
	if c.below(4) == 0 {
		mount["subPath"] = "x"
	}
	return mount
}

func (c *choices) volumeName() string {
	return c.of("own", "credence-data-docs", "credence-tmp-docs", "credence-git", "credence-tokens", "credence-openai", "credence-git-f1ff22c6")
}

func (c *choices) volume() object {
	volume := object{"name": c.volumeName()}
	switch c.below(4) {
	case 0:
		volume["emptyDir"] = object{}
	case 1:
		volume["image"] = object{"reference": c.image()}
	default:
		secret := object{"secretName": c.of("git", "tokens", "genericsecret-openai")}
		if mode := c.below(4); mode > 0 {
			secret["defaultMode"] = []int{0o400, 0o440, 0o444}[mode-1]
		}
		if c.below(3) == 0 {
			secret["items"] = []object{{"key": "ssh-privatekey", "path": "id"}}
		}
		if c.below(5) == 0 {
			secret["optional"] = true
		}
		volume["secret"] = secret
	}
	return volume
}

func (c *choices) image() string {
	return c.of("images.example.net/app", "credence.invalid/environment", "registry.example.com/pytorch:2.9", "registry.example.com/app", "quay.io/team/app", "nginx", "coming.example.com/app", "leaving.example.com/app", "taken.example.com/app", "not an image")
}

func (c *choices) securityContext() any {
	if c.below(2) == 0 {
		return nil
	}
	context := object{}
	if c.below(2) == 1 {
		context["runAsUser"] = c.below(2) * 1000
	}
	if c.below(2) == 1 {
		context["runAsNonRoot"] = c.below(2) == 1
	}
	if c.below(2) == 1 {
		context["fsGroup"] = 1
	}
	return context
}

func (c *choices) containers(names ...string) []object {
	var containers []object
	for _, name := range names {
		if len(containers) > 0 && c.below(2) == 0 {
			continue
		}
		container := object{"name": name, "image": c.image()}
		for _, field := range []struct {
			name  string
			value any
		}{
			{"env", c.list(3, c.env)},
			{"envFrom", c.list(2, c.envFrom)},
			{"volumeMounts", c.list(3, c.volumeMount)},
			{"securityContext", c.securityContext()},
		} {
			if field.value != nil || c.below(2) == 0 {
				container[field.name] = field.value
			}
		}
		if c.below(4) == 0 {
			container["command"], container["imagePullPolicy"], container["workingDir"] = []string{"run"}, "Always", c.of("/home", "/own")
		}
		containers = append(containers, container)
	}
	return containers
}

func (c *choices) pod() object {
	spec := object{"containers": c.containers("main", "tool"), "volumes": c.list(3, c.volume), "securityContext": c.securityContext()}
	if c.below(2) == 1 {
		spec["initContainers"] = c.containers("setup", c.of("sidecar", "sidecar", "credence-fetch-docs"))
	}
	spec["imagePullSecrets"] = c.list(2, func() object {
		return object{"name": c.of("own", "dockerregistry-hub", "dockerregistry-quay", "unseen-registry")}
	})
	return object{"metadata": object{"annotations": c.annotations()}, "spec": spec}
}

// document is a pod, or a workload with its own annotations.
func (c *choices) document() object {
	pod := c.pod()
	if c.below(3) > 0 {
		return pod
	}
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"annotations": c.annotations()},
		"spec":     object{"template": pod},
	}
}

// FuzzGenerated holds the properties for pods of which most things collide with
// what they ask for.
func FuzzGenerated(f *testing.F) {
	f.Add([]byte{})
	for seed := range 32 { // any bytes do
		bytes := make([]byte, 96)
		for i := range bytes {
			bytes[i] = byte((seed + 1) * (i*i + 7*i + 3) >> 2)
		}
		f.Add(bytes)
	}
	known, _ := catalogOf(f, "testdata/assets.yaml", credential.DefaultLayout())
	f.Fuzz(func(t *testing.T, decisions []byte) {
		decide := choices(decisions)
		pullSecrets := decide.below(2) == 1
		text, err := json.Marshal(decide.document())
		if err != nil {
			t.Fatal(err)
		}
		said := checkProperties(t, known, documentOf(text, pullSecrets))
		checkNothingOfOthers(t, string(text), said)
	})
}
