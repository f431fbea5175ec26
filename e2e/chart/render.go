// SPDX-License-Identifier: Apache-2.0

// Package chart renders a Helm chart in this process, as `helm template` would,
// and applies what comes out, as `helm install` would, for tests and the demo.
// It runs no hooks and records no release.
//
// It knows nothing of Credence's own chart but the files it is given.
package chart

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Release says what a chart is rendered for.
type Release struct {
	Name      string
	Namespace string
	// KubeVersion is the version of the cluster, as in "v1.37.2".
	KubeVersion string
	// Values go over the chart's own.
	Values map[string]any
	// Upgrade renders for `helm upgrade` in place of `helm install`.
	Upgrade bool
}

// Manifests are what a chart becomes.
type Manifests struct {
	// Objects are in the order of installation, those of crds/ first.
	Objects []*unstructured.Unstructured
	// Hooks are objects with the annotation helm.sh/hook, by kind. Helm keeps
	// them apart from the release.
	Hooks []*unstructured.Unstructured
	// Notes are what Helm prints after the installation.
	Notes string
}

// Render renders the chart whose Chart.yaml is at the top of files. Values that
// the chart's schema refuses are an error, and so is a cluster version that its
// kubeVersion does.
func Render(files fs.FS, release Release) (*Manifests, error) {
	manifests, err := render(files, release)
	if err != nil {
		return nil, fmt.Errorf("rendering a chart: %w", err)
	}
	return manifests, nil
}

func render(source fs.FS, release Release) (*Manifests, error) {
	chart, err := load(source)
	if err != nil {
		return nil, err
	}
	values, err := renderValues(chart, release)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	manifests := &Manifests{Notes: takeNotes(chart.Name(), files)}
	for _, crd := range chart.CRDObjects() {
		if err := decodeInto(&manifests.Objects, crd.Filename, string(crd.File.Data)); err != nil {
			return nil, err
		}
	}
	hooks, sorted, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	for _, manifest := range sorted {
		if err := decodeInto(&manifests.Objects, manifest.Name, manifest.Content); err != nil {
			return nil, err
		}
	}
	for _, hook := range hooks {
		if err := decodeInto(&manifests.Hooks, hook.Path, hook.Manifest); err != nil {
			return nil, err
		}
	}
	return manifests, nil
}

// renderValues returns what the templates see, after the checks of the chart.
func renderValues(chart *chartv2.Chart, release Release) (common.Values, error) {
	version, err := common.ParseKubeVersion(release.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("cluster version %q: %w", release.KubeVersion, err)
	}
	if err := chartutil.ValidateReleaseName(release.Name); err != nil {
		return nil, fmt.Errorf("release name %q: %w", release.Name, err)
	}
	if wanted := chart.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, version.String()) {
		return nil, fmt.Errorf("the chart needs Kubernetes %s, the cluster has %s", wanted, version.Version)
	}
	given := maps.Clone(release.Values)
	if given == nil {
		given = map[string]any{}
	}
	if err := chartutil.ProcessDependencies(chart, given); err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	return commonutil.ToRenderValues(chart, given, common.ReleaseOptions{
		Name:      release.Name,
		Namespace: release.Namespace,
		Revision:  1,
		IsInstall: !release.Upgrade,
		IsUpgrade: release.Upgrade,
	}, capabilities)
}

// takeNotes removes the notes of the chart and its dependencies from the rendered
// files, and returns those of the chart.
func takeNotes(name string, files map[string]string) string {
	const file = "NOTES.txt"
	notes := files[path.Join(name, "templates", file)]
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, file) })
	return notes
}

// decodeInto appends the objects of a file to list, its documents in their order.
func decodeInto(list *[]*unstructured.Unstructured, file, content string) error {
	documents := releaseutil.SplitManifests(content)
	keys := slices.SortedFunc(maps.Keys(documents), func(a, b string) int {
		if (releaseutil.BySplitManifestsOrder{a, b}).Less(0, 1) {
			return -1
		}
		return 1
	})
	for _, key := range keys {
		json, err := yaml.YAMLToJSON([]byte(documents[key]))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if string(json) == "null" {
			continue // nothing but comments
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(json); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		*list = append(*list, object)
	}
	return nil
}
