// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/manifest"
)

var update = flag.Bool("update", false, "write what the golden cases got as what they want")

func goldenCases(tb testing.TB) []golden.Case {
	tb.Helper()
	cases, err := golden.Load("testdata")
	if err != nil {
		tb.Fatal(err)
	}
	return cases
}

// catalogOf makes a catalog of a file with assets.
func catalogOf(tb testing.TB, file string, layout credential.Layout) (known *catalog.Catalog, problems []error) {
	tb.Helper()
	documents, err := manifest.ReadFile(file, nil)
	if err != nil {
		tb.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		tb.Fatal(err)
	}
	return assets.Catalog(layout, "team-a")
}

// goldenCatalog makes the catalog of a case.
func goldenCatalog(tb testing.TB, c *golden.Case) (known *catalog.Catalog, problems []error) {
	tb.Helper()
	layout := credential.DefaultLayout()
	if c.Flags.ProjectLabel != "" {
		layout.ProjectLabel = c.Flags.ProjectLabel
	}
	return catalogOf(tb, c.Assets, layout)
}

func TestGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			got, messages := runGolden(t, &c)
			if *update {
				if err := c.Write(got, messages); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(c.Want), string(got)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.Join(c.Messages, "\n"), strings.Join(messages, "\n")); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// runGolden does what the command does.
func runGolden(t *testing.T, c *golden.Case) (got []byte, messages []string) {
	t.Helper()
	known, problems := goldenCatalog(t, c)
	for _, problem := range problems {
		messages = append(messages, "Warning: "+problem.Error())
	}
	documents, err := manifest.Read(golden.WorkloadFile, c.Workload)
	if err != nil {
		return nil, append(messages, "Error: "+err.Error())
	}
	var injected []manifest.Injected
	var refusals []error
	for _, document := range documents {
		result, err := manifest.Inject(known, document, manifest.Options{Namespace: c.Flags.Namespace, PullSecrets: c.Flags.PullSecrets})
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		for _, warning := range result.Warnings {
			messages = append(messages, "Warning: "+warning)
		}
		injected = append(injected, result)
	}
	if len(refusals) > 0 {
		return nil, append(messages, strings.Split("Error: "+errors.Join(refusals...).Error(), "\n")...)
	}
	var out bytes.Buffer
	if err := manifest.Write(&out, injected, manifest.Format(c.Flags.Output)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), messages
}

// TestOrphans holds that a file which no case reads is found.
func TestOrphans(t *testing.T) {
	for name, file := range map[string]string{
		"beside the cases": "orphan.yaml",
		"in a case":        "case/wanted.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(root+"/case", 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"case/workload.yaml", file} {
				if err := os.WriteFile(root+"/"+file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := golden.Load(root); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(file, "case/")) {
				t.Errorf("got error %v", err)
			}
		})
	}
}
