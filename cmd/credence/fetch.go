// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/credence-dev/credence/injector/fetch"
)

// addFetchFlags adds the flags that say with what data sources are fetched. Their
// defaults are the values that the settings have.
func addFetchFlags(flags *pflag.FlagSet, settings *fetch.Settings) {
	flags.StringVar(&settings.GitImage, "git-image", settings.GitImage, "the image of git-sync that fetches Git repositories")
	flags.StringVar(&settings.S3Image, "s3-image", settings.S3Image, "the image of rclone that fetches from buckets")
	flags.Var((*quantities)(&settings.Requests), "fetch-requests", "the resources that a container which fetches requests; may be empty")
	flags.Var((*quantities)(&settings.Limits), "fetch-limits", "the limits of its resources; may be empty")
	flags.StringVar(&settings.SizeLimit, "data-size-limit", settings.SizeLimit, "how much one data source may hold; a pod that has more is evicted")
	flags.StringVar(&settings.CAConfigMap, "ca-config-map", settings.CAConfigMap,
		"a ConfigMap in every project whose key "+fetch.CAKey+" has the certificates to trust when fetching; a credential's own go before it")
}

// quantities is the value of a flag such as "cpu=10m,memory=64Mi".
type quantities map[string]string

// Set implements pflag.Value.
func (q *quantities) Set(text string) error {
	*q = quantities{}
	for item := range strings.SplitSeq(text, ",") {
		name, quantity, ok := strings.Cut(strings.TrimSpace(item), "=")
		switch {
		case text == "":
		case !ok || name == "" || quantity == "":
			return fmt.Errorf("%q must be like memory=64Mi", item)
		default:
			(*q)[name] = quantity
		}
	}
	return nil
}

// String implements pflag.Value.
func (q *quantities) String() string {
	var items []string
	for _, name := range slices.Sorted(maps.Keys(*q)) {
		items = append(items, name+"="+(*q)[name])
	}
	return strings.Join(items, ",")
}

// Type implements pflag.Value.
func (q *quantities) Type() string { return "quantities" }
