// SPDX-License-Identifier: Apache-2.0

package chart_test

import "strings"

// variations are values that change much.
var variations = map[string]string{
	"carrying": `repair: [carry]`,
	"evicting": `repair: [evict]`,
	"defaults": ``,
	"a webhook outside": `
webhook: {url: "https://127.0.0.1:9443/"}
controller: {url: "https://127.0.0.1:9444/"}`,
	"other labels and namespaces": `
labels: {project: runai/queue, department: runai/department}
systemNamespace: {name: runai, create: false}
clusterName: "east: 1"
logLevel: debug`,
	"placement": `
image: {repository: registry.example.com/credence, tag: v2, digest: "sha256:` + strings.Repeat("a", 64) + `", pullSecrets: [mirror]}
nodeSelector: {pool: system}
tolerations: [{key: system, operator: Exists}]
priorityClassName: important
webhook: {replicas: 5, resources: {}}`,
	"no definitions": `crds: {enabled: false}`,
	"roles apart":    `roles: {aggregate: false}`,
	"restarts":       `rotation: {restarts: true}`,
	"fetching":       `webhook: {fetch: {gitImage: "mirror.example.com/git-sync:v4", resources: {requests: null, limits: {cpu: 1, memory: 1Gi}}, caConfigMap: trust}}`,
	"a dependency":   `global: {anything: true}`,
	"cert-manager":   `certs: {mode: cert-manager}`,
	"an issuer":      `certs: {mode: cert-manager, certManager: {issuerRef: {kind: ClusterIssuer, name: internal}}}`,
	"provided":       `certs: {mode: provided, provided: {secretName: ours}}`,
	"watched":        `metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}, dashboard: {enabled: true}}`,
	"closed": `
networkPolicy:
  metricsFrom: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
  apiServer: {sources: [10.0.0.0/8, "fd00::/8"], addresses: [192.0.2.1/32], ports: [6443]}`,
	"open": `networkPolicy: {enabled: false}`,
	"labelled": `
podLabels: {team: platform, app.kubernetes.io/component: other}
podAnnotations: {example.com/scrape: "true"}`,
}
