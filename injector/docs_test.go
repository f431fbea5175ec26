// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/manifest"
)

// credentialsOfDocs are what the guide's manifests of assets name.
const credentialsOfDocs = `
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {credence.dev/project: team-a}}
---
apiVersion: credence.dev/v1alpha1
kind: Credential
metadata: {name: openai, namespace: team-a}
spec: {type: generic, scope: {level: project}, secretRef: {name: openai}}
---
apiVersion: v1
kind: Secret
metadata: {name: openai, namespace: team-a, labels: {run.ai/resource: generic}}
stringData: {api-key: not-a-secret}
---
apiVersion: credence.dev/v1alpha1
kind: Credential
metadata: {name: bucket, namespace: team-a}
spec: {type: access-key, scope: {level: project}, secretRef: {name: bucket}}
---
apiVersion: credence.dev/v1alpha1
kind: Credential
metadata: {name: gitlab, namespace: team-a}
spec: {type: password, scope: {level: project}, secretRef: {name: gitlab}}
---
apiVersion: credence.dev/v1alpha1
kind: Credential
metadata: {name: deploy-key, namespace: team-a}
spec: {type: ssh-key, scope: {level: project}, secretRef: {name: deploy-key}}
---
apiVersion: v1
kind: Secret
metadata: {name: deploy-key, namespace: team-a, labels: {run.ai/resource: generic}}
stringData: {ssh-privatekey: not-a-secret, known_hosts: not-a-secret}
`

var fenced = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The manifests that the guide shows for assets are taken, and its workloads get what
// it says.
func TestDocumentedAssets(t *testing.T) {
	guide, err := os.ReadFile("../docs/inject.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(guide), "\n## Assets\n")
	section, _, ends := strings.Cut(section, "\n## ")
	if !ok || !ends {
		t.Fatal("the guide has no section about assets")
	}
	text := credentialsOfDocs
	for _, block := range fenced.FindAllStringSubmatch(section, -1) {
		text += "---\n" + block[1]
	}
	documents, err := manifest.Read("docs/inject.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		t.Fatal(err)
	}
	known, problems := assets.Catalog(credential.DefaultLayout(), "team-a")
	for _, problem := range problems {
		t.Error(problem)
	}
	injected := 0
	for _, document := range documents {
		result, err := manifest.Inject(known, document, manifest.Options{Namespace: "team-a"})
		if err != nil {
			t.Error(err)
		}
		for _, warning := range result.Warnings {
			if !strings.Contains(warning, "may run as any user") {
				t.Error(warning)
			}
		}
		if len(result.Operations) > 0 {
			injected++
		}
	}
	if injected != 4 {
		t.Errorf("%d workloads of the guide are injected into, want 4", injected)
	}
}
