// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/credence-dev/credence/charts"
)

// dashboard is what we read of Grafana's.
type dashboard struct {
	UID, Title string
	Panels     []struct {
		ID      int
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ Expr string }
	}
}

// TestDashboard: what it shows is exported by the processes, and all of it is shown.
func TestDashboard(t *testing.T) {
	content, err := charts.FS.ReadFile("credence/files/dashboards/credence.json")
	if err != nil {
		t.Fatal(err)
	}
	var shown dashboard
	if err := json.Unmarshal(content, &shown); err != nil {
		t.Fatal(err)
	}
	if shown.UID == "" || shown.Title == "" || len(shown.Panels) == 0 {
		t.Errorf("dashboard %q (%s) has %d panels", shown.Title, shown.UID, len(shown.Panels))
	}
	exported := exportedMetrics(t)
	used, ids := map[string]bool{}, map[int]bool{}
	for _, panel := range shown.Panels {
		if ids[panel.ID] {
			t.Errorf("panel %s has the number of another", panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			names := metricsIn(target.Expr)
			if len(names) == 0 {
				t.Errorf("panel %s shows no metric: %s", panel.Title, target.Expr)
			}
			for _, name := range names {
				used[name] = true
				if !slices.Contains(exported, name) {
					t.Errorf("panel %s shows %s, which nothing exports", panel.Title, name)
				}
			}
		}
	}
	for _, name := range exported {
		if strings.HasPrefix(name, "credence_") && !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// metricsIn are the metrics in a query, each of which has braces behind it there.
// Histograms are called as in code.
func metricsIn(query string) (names []string) {
	for _, match := range regexp.MustCompile(`([a-z][a-z0-9_]*)\{`).FindAllStringSubmatch(query, -1) {
		names = append(names, strings.TrimSuffix(match[1], "_bucket"))
	}
	return names
}

// libraries are the metrics of libraries that the dashboard shows. That the processes
// export them is tested with the processes.
var libraries = []string{"controller_runtime_webhook_latency_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"}

// exportedMetrics are the names in our own code, and those of libraries.
func exportedMetrics(t *testing.T) []string {
	t.Helper()
	names, root := slices.Clone(libraries), ".."
	literal := regexp.MustCompile(`"(credence_[a-z_]+)"`)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"e2e", "bin"}, entry.Name())) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range literal.FindAllStringSubmatch(string(content), -1) {
			names = append(names, match[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
