// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/pod"
)

// Settings say with what data sources are fetched. They are those of a cluster.
type Settings struct {
	// GitImage is an image of git-sync, version 4, S3Image one of rclone. Both have a
	// shell, for the probe and for fetching again and again.
	GitImage, S3Image string
	// Requests and Limits are the resources of a fetching container.
	Requests, Limits map[string]string
	// SizeLimit is how much one data source may hold, as a quantity. A pod that has
	// more is evicted.
	SizeLimit string
	// CAConfigMap is the name of a ConfigMap in each project with the key ca.crt: the
	// certificates to trust instead of those of the images. Empty for none.
	CAConfigMap string
}

// Default returns the settings of an installation that changes none.
func Default() Settings {
	return Settings{
		GitImage:  "registry.k8s.io/git-sync/git-sync:v4.6.0",
		S3Image:   "docker.io/rclone/rclone:1.75.1",
		Requests:  map[string]string{"cpu": "10m", "memory": "64Mi"},
		Limits:    map[string]string{"memory": "512Mi"},
		SizeLimit: "10Gi",
	}
}

// Validate says what is wrong with settings, before pods are refused for it.
func (s *Settings) Validate() error {
	for _, image := range []string{s.GitImage, s.S3Image} {
		if _, ok := credential.ParseImage(image); !ok {
			return fmt.Errorf("%q cannot be the name of an image that fetches data sources", image)
		}
	}
	if quantity, err := resource.ParseQuantity(s.SizeLimit); err != nil || quantity.Sign() <= 0 {
		return fmt.Errorf("the size limit of data sources %q must be a quantity such as 10Gi", s.SizeLimit)
	}
	for _, list := range []map[string]string{s.Requests, s.Limits} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			if quantity, err := resource.ParseQuantity(list[name]); err != nil || quantity.Sign() < 0 {
				return fmt.Errorf("%s=%s cannot be a resource of what fetches data sources: it must be a quantity such as 64Mi", name, list[name])
			}
		}
	}
	if s.CAConfigMap != "" && len(validation.IsDNS1123Subdomain(s.CAConfigMap)) > 0 {
		return fmt.Errorf("%q cannot be the name of the ConfigMap with certificates", s.CAConfigMap)
	}
	return nil
}

// data is the volume that a data source is fetched into.
func (s *Settings) data() pod.Volume {
	return pod.Volume{EmptyDir: &pod.EmptyDirVolume{SizeLimit: jsontext.Value(strconv.Quote(s.SizeLimit))}}
}
