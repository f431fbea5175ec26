// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/e2e/chart"
)

func TestCredenceRefuses(t *testing.T) {
	cases := map[string]struct{ values, want string }{
		"an unknown value":                    {`replicas: 3`, "replicas"},
		"an unknown value of the image":       {`image: {name: x}`, "name"},
		"an unknown value of the webhook":     {`webhook: {replica: 3}`, "replica"},
		"an unknown value of the controller":  {`controller: {repair: x}`, "repair"},
		"an unknown value of the namespace":   {`systemNamespace: {labels: {}}`, "labels"},
		"an unknown value of the labels":      {`labels: {projects: x}`, "projects"},
		"an unknown value of the roles":       {`roles: {create: true}`, "create"},
		"an unknown value of the CRDs":        {`crds: {install: true}`, "install"},
		"an unknown value of the rotation":    {`rotation: {restart: true}`, "restart"},
		"a webhook without TLS":               {`webhook: {url: "http://127.0.0.1:9443"}`, "/webhook/url"},
		"controllers without TLS":             {`controller: {url: "http://127.0.0.1:9444"}`, "/controller/url"},
		"a label that cannot be":              {`labels: {project: a/b/c}`, "/labels/project"},
		"a log level that is none":            {`logLevel: loud`, "/logLevel"},
		"an unknown value of certificates":    {`certs: {secretName: x}`, "secretName"},
		"an unknown value of cert-manager":    {`certs: {certManager: {issuer: x}}`, "issuer"},
		"an unknown value of an issuer":       {`certs: {certManager: {issuerRef: {name: x, namespace: y}}}`, "namespace"},
		"an issuer without a name":            {`certs: {certManager: {issuerRef: {kind: ClusterIssuer}}}`, "name"},
		"an issuer that cannot be":            {`certs: {certManager: {issuerRef: {name: A_B}}}`, "/certs/certManager/issuerRef/name"},
		"an unknown value of what is given":   {`certs: {provided: {secret: x}}`, "secret"},
		"a Secret that cannot be":             {`certs: {provided: {secretName: "a b"}}`, "/certs/provided/secretName"},
		"certificates of nobody":              {`certs: {mode: none}`, "/certs/mode"},
		"certificates that are not named":     {`certs: {mode: provided}`, "certs.provided.secretName is missing"},
		"a label of pods that is none":        {`podLabels: {a: 1}`, "/podLabels/a"},
		"an annotation of pods that is none":  {`podAnnotations: {a: true}`, "/podAnnotations/a"},
		"an unknown value of policies":        {`networkPolicy: {ingress: []}`, "ingress"},
		"policies that are none":              {`networkPolicy: {enabled: "yes"}`, "/networkPolicy/enabled"},
		"a selector that is none":             {`networkPolicy: {metricsFrom: {kubernetes.io/metadata.name: x}}`, "kubernetes.io/metadata.name"},
		"an unknown value of API servers":     {`networkPolicy: {apiServer: {cidrs: []}}`, "cidrs"},
		"a source that is none":               {`networkPolicy: {apiServer: {sources: [10.0.0.1]}}`, "/networkPolicy/apiServer/sources"},
		"an address that is none":             {`networkPolicy: {apiServer: {addresses: [kubernetes.default]}}`, "/networkPolicy/apiServer/addresses"},
		"a port that is none":                 {`networkPolicy: {apiServer: {ports: [https]}}`, "/networkPolicy/apiServer/ports"},
		"no port":                             {`networkPolicy: {apiServer: {ports: []}}`, "/networkPolicy/apiServer/ports"},
		"an unknown value of metrics":         {`metrics: {enabled: true}`, "enabled"},
		"an unknown value of the monitor":     {`metrics: {serviceMonitor: {namespace: x}}`, "namespace"},
		"an interval that is none":            {`metrics: {serviceMonitor: {interval: 30}}`, "/metrics/serviceMonitor/interval"},
		"a label of the monitor that is none": {`metrics: {serviceMonitor: {labels: {a: 1}}}`, "/metrics/serviceMonitor/labels/a"},
		"an unknown value of the dashboard":   {`metrics: {dashboard: {labels: {}}}`, "labels"},
		"the install namespace for the home":  {`systemNamespace: {name: ` + installNamespace + `}`, "name another namespace"},
		"kube-system for the home":            {`systemNamespace: {name: kube-system, create: false}`, "name another namespace"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := chart.Render(os.DirFS(credence), credenceRelease(parseValues(t, test.values)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestCredenceClusterVersions(t *testing.T) {
	for version, fits := range map[string]bool{
		"v1.29.15": false, "v1.30.0": true, "v1.30.2-gke.1587003": true, "v1.31.0-eks-a737599": true, "v1.37.2": true,
	} {
		release := credenceRelease(nil)
		release.KubeVersion = version
		if _, err := chart.Render(os.DirFS(credence), release); (err == nil) != fits {
			t.Errorf("Kubernetes %s fits: %t, want %t (%v)", version, err == nil, fits, err)
		}
	}
}

// Every object in the schema is closed, but for those whose names are the user's.
func TestCredenceSchemaIsClosed(t *testing.T) {
	content, err := os.ReadFile(credence + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	open := openObjects("", schema)
	slices.Sort(open)
	want := []string{"controller.resources", "global", "metrics.serviceMonitor.labels", "networkPolicy.metricsFrom.matchExpressions[]",
		"networkPolicy.metricsFrom.matchLabels", "nodeSelector", "podAnnotations", "podLabels", "tolerations[]",
		"webhook.fetch.resources.limits", "webhook.fetch.resources.requests", "webhook.resources"}
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("open objects (-want +got):\n%s", diff)
	}
}

func openObjects(path string, schema map[string]any) []string {
	var open []string
	if schema["type"] == "object" && schema["additionalProperties"] != false {
		open = append(open, path)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, inner := range properties {
		open = append(open, openObjects(strings.TrimPrefix(path+"."+name, "."), inner.(map[string]any))...)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		open = append(open, openObjects(path+"[]", items)...)
	}
	return open
}
