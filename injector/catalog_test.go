// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/manifest"
)

// catalogOf makes a catalog of a file with assets.
func catalogOf(tb testing.TB, file string) *catalog.Catalog {
	tb.Helper()
	documents, err := manifest.ReadFile(file, nil)
	if err != nil {
		tb.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		tb.Fatal(err)
	}
	known, _ := assets.Catalog(credential.DefaultLayout(), "team-a")
	return known
}
