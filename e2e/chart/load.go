// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// load reads the chart whose Chart.yaml is at the top of files, as Helm reads a
// folder: without what .helmignore names.
func load(files fs.FS) (*chartv2.Chart, error) {
	ignored, err := ignoreRules(files)
	if err != nil {
		return nil, err
	}
	var all []*archive.BufferedFile
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case ignored.Ignore(name, info):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		all = append(all, &archive.BufferedFile{Name: name, ModTime: info.ModTime(), Data: content})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the chart: %w", err)
	}
	return loader.LoadFiles(all)
}

func ignoreRules(files fs.FS) (*ignore.Rules, error) {
	content, err := fs.ReadFile(files, ignore.HelmIgnore)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the chart: %w", err)
	}
	rules, err := ignore.Parse(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ignore.HelmIgnore, err)
	}
	rules.AddDefaults()
	return rules, nil
}

// Read reads the objects in files, such as the definitions of another product, in their
// order.
func Read(files ...string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading objects: %w", err)
		}
		if err := decodeInto(&all, file, string(content)); err != nil {
			return nil, fmt.Errorf("reading objects: %w", err)
		}
	}
	return all, nil
}
