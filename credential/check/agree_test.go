// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/credence-dev/credence/credential/check"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/pod"
)

// some picks a few of the words, each once.
func some(random *rand.Rand, words ...string) []string {
	words = slices.Clone(words)
	random.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return words[:random.IntN(min(len(words), 3))]
}

func one(random *rand.Rand, words ...string) string { return words[random.IntN(len(words))] }

// anything writes an asset's lists of variables and credentials.
func anything(random *rand.Rand) string {
	credentials := []string{"hub", "bucket", "other-bucket", "login", "deploy", "openai", "another", "of-research", "of-a", "mounted", "mounted-too", "misled", "broken", "absent"}
	var env []string
	for _, name := range some(random, "TOKEN", "URL", "AWS_ACCESS_KEY_ID", "LOGIN_PASSWORD", "FREE") {
		if random.IntN(3) == 0 {
			env = append(env, fmt.Sprintf("{name: %s, value: %s}", name, one(random, "x", "y")))
		} else {
			env = append(env, fmt.Sprintf("{name: %s, credential: {name: %s, key: %s}}", name, one(random, credentials...), one(random, "TOKEN", "URL", "password", ".dockerconfigjson", "accessKeyId")))
		}
	}
	return fmt.Sprintf("credentials: [%s], env: [%s]", strings.Join(some(random, credentials...), ", "), strings.Join(env, ", "))
}

// TestAgreesWithTheInjector: of an asset that nothing is wrong with, a pod that has
// nothing of its own gets everything; where something is wrong the pod is refused.
// Rules that are written twice would differ otherwise before long.
func TestAgreesWithTheInjector(t *testing.T) {
	outcomes := map[bool]int{}
	for seed := range uint64(4000) {
		random := rand.New(rand.NewPCG(seed, 0))
		known := cluster()
		known.SetAsset(assetOf(t, "Environment "+one(random, system, "team-a"), "{displayName: named torch, "+anything(random)+"}"))
		known.SetAsset(assetOf(t, "DataSource "+system, fmt.Sprintf("{displayName: named code, git: {repository: '%s', path: %s, credential: %s, skipHostKeyCheck: true}}",
			one(random, "https://git.example.com/a", "git@git.example.com:a"), one(random, "/data", "/code"), one(random, "login", "deploy"))))
		known.SetAsset(assetOf(t, "DataSource  "+system, fmt.Sprintf("{displayName: named papers, secret: {credential: %s, mountPath: %s, keys: [{key: TOKEN}, {key: %s, file: %s}]}}",
			one(random, "another", "openai"), one(random, "/data", "/data/papers", "/papers"), one(random, "URL", "KEY"), one(random, "URL", "TOKEN", "TOKEN/a"))))
		var mounts []string
		for _, path := range some(random, "/data", "/data/mounted", "/etc/credence", "/etc/credence/deploy", "/free", "/free/") {
			mounts = append(mounts, fmt.Sprintf("{credential: %s, mountPath: %s}", one(random, "openai", "deploy", "mounted"), path))
		}
		spec := fmt.Sprintf("{displayName: named it, %s, mounts: [%s], dataSources: [%s], environment: %s}", anything(random),
			strings.Join(mounts, ", "), strings.Join(some(random, "code", "papers"), ", "), one(random, `""`, "torch"))
		template := assetOf(t, "WorkloadTemplate team-a", spec)
		known.SetAsset(template)

		bare, err := pod.Decode([]byte(`{"metadata": {"annotations": {"credence.dev/template": "it"}}, "spec": {"containers": [{"name": "main"}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		faults := check.Asset(known, template)
		_, refusal := injector.Inject(known, injector.Request{Pod: bare, Namespace: "team-a"})
		outcomes[refusal == nil]++
		if (refusal == nil) != (len(faults) == 0) {
			t.Errorf("seed %d: %s\nthe check says  %q\nthe injector says %v", seed, spec, told(faults), refusal)
		}
	}
	if outcomes[true] < 100 || outcomes[false] < 100 {
		t.Errorf("too much alike: %v", outcomes)
	}
}
