// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProgramsFromAssets(t *testing.T) {
	cases := map[string]struct {
		files   []string
		taken   []string
		missing []string
	}{
		"all of them": {
			files: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"},
			taken: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"},
		},
		"envtest's usual set": {
			files:   []string{"etcd", "kube-apiserver", "kubectl"},
			taken:   []string{"etcd", "kube-apiserver"},
			missing: []string{"kube-controller-manager", "kube-scheduler"},
		},
		"of no use to envtest": {
			files:   []string{"etcd", "kube-scheduler"},
			missing: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var progress strings.Builder
			found, missing := fromAssets(dir, &progress)
			var taken, missed []string
			for _, p := range programs {
				if path := *found.field(p.Name); path != "" {
					taken = append(taken, filepath.Base(path))
				}
			}
			for _, p := range missing {
				missed = append(missed, p.Name)
			}
			if diff := cmp.Diff(test.taken, taken); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.missing, missed); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			if !strings.Contains(progress.String(), AssetsVariable) {
				t.Errorf("the progress does not speak of $%s: %q", AssetsVariable, progress.String())
			}
		})
	}
}
