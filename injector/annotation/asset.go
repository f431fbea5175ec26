// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// addAssets reads the annotations that name assets: "<name>", of data sources
// "<name>, <name>".
func (w *parser) addAssets(key, value string) (err *Error) {
	switch key {
	case v1alpha1.AnnotationEnvironment:
		w.Environment, err = parseAsset(key, value, "environment")
	case v1alpha1.AnnotationTemplate:
		w.Template, err = parseAsset(key, value, "template")
	case v1alpha1.AnnotationDataSources:
		if w.DataSources, err = parseList(key, value, "data source"); err != nil {
			return err
		}
		for _, name := range w.DataSources {
			if err := checkAssetName(key, name, "data source"); err != nil {
				return err
			}
		}
		err = w.count(key, len(w.DataSources))
	}
	return err
}

// parseAsset reads one name. A pod has one environment and one template.
func parseAsset(key, value, what string) (string, *Error) {
	name := strings.TrimSpace(value)
	switch {
	case name == "":
		return "", failed(key, fmt.Sprintf("the value is empty; it must name %s", withArticle(what)))
	case strings.Contains(name, ","):
		return "", failed(key, fmt.Sprintf("the value must name one %s, not %s", what, Quote(name)))
	}
	return name, checkAssetName(key, name, what)
}

func checkAssetName(key, name, what string) *Error {
	if len(validation.IsDNS1123Label(name)) > 0 {
		err := failed(key, fmt.Sprintf("%s cannot be the name of %s, which is made of lower case letters, digits and '-'", Quote(name), withArticle(what)))
		err.Asset = name
		return err
	}
	return nil
}

func withArticle(what string) string {
	if strings.HasPrefix(what, "e") {
		return "an " + what
	}
	return "a " + what
}
