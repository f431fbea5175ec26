// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// source makes a module that looks like that of the programs: its k8s.io/kubernetes
// is a folder with a single, tiny program.
func source(t *testing.T, version string) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"programs/go.mod": "module example.com/programs\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes " + version +
			"\n\nreplace k8s.io/kubernetes => ../kubernetes\n",
		"programs/go.sum":                "",
		"kubernetes/go.mod":              "module k8s.io/kubernetes\n\ngo 1.26.0\n",
		"kubernetes/cmd/one/one.go":      "package main\n\nfunc main() { print(\"one\") }\n",
		"kubernetes/cmd/broken/main.go":  "package main\n\nfunc main() { thisIsNotThere() }\n",
		"kubernetes/cmd/another/main.go": "package main\n\nfunc main() { print(\"another\") }\n",
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "programs")
}

func programs(source, dir string) Programs {
	var all []Program
	for _, name := range []string{"etcd", "kube-apiserver", "kube-scheduler"} {
		all = append(all, Program{Name: name})
	}
	return Programs{Source: source, Dir: dir, All: all, Kubernetes: true}
}

func TestEnsure(t *testing.T) {
	one := Program{Name: "etcd", Package: "k8s.io/kubernetes/cmd/one"}
	another := Program{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/another"}
	broken := Program{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/broken"}
	first, second := source(t, "v1.37.2"), source(t, "v1.37.3")
	dir := filepath.Join(t.TempDir(), "bin")

	// The steps build on each other.
	for _, step := range []struct {
		name    string
		source  string
		wanted  []Program
		want    []string // what the progress speaks of
		wantErr string
		running []string
	}{
		{"nothing is there", first, []Program{one}, []string{"compiling etcd into", "[1/1] etcd: started", "[1/1] etcd: done in"}, "", []string{"one"}},
		{"all is there", first, []Program{one}, nil, "", []string{"one"}},
		{"one is missing", first, []Program{one, another}, []string{"compiling kube-apiserver into"}, "", []string{"one", "another"}},
		{"other versions", second, []Program{one}, []string{"compiling etcd into"}, "", []string{"one"}},
		{"a program that does not compile", second, []Program{one, broken}, []string{"[1/1] kube-scheduler: started"}, "thisIsNotThere", []string{"one"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			var progress bytes.Buffer
			err := programs(step.source, dir).Ensure(t.Context(), step.wanted, &progress)
			if step.wantErr == "" && err != nil || step.wantErr != "" && (err == nil || !strings.Contains(err.Error(), step.wantErr)) {
				t.Fatalf("the error is %v, want %q", err, step.wantErr)
			}
			if step.want == nil && progress.Len() != 0 {
				t.Errorf("something was done: %s", &progress)
			}
			for _, want := range step.want {
				if !strings.Contains(progress.String(), want) {
					t.Errorf("the progress does not say %q:\n%s", want, &progress)
				}
			}
			if diff := cmp.Diff(step.running, outputs(t, dir)); diff != "" {
				t.Errorf("the programs in the folder (-want +got):\n%s", diff)
			}
		})
	}
}

// outputs runs the programs in dir and returns what they print.
func outputs(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for _, p := range programs("", dir).All {
		path := filepath.Join(dir, p.Name)
		if !IsProgram(path) {
			continue
		}
		out, err := exec.Command(path).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(out))
	}
	unfinished, err := filepath.Glob(filepath.Join(dir, "*.unfinished"))
	if err != nil || len(unfinished) > 0 {
		t.Errorf("left over: %v %v", unfinished, err)
	}
	return all
}

func TestLinkerFlagsHoldTheVersion(t *testing.T) {
	flags, err := programs(source(t, "v1.38.0"), "").linkerFlags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "-s -w -X k8s.io/component-base/version.gitVersion=v1.38.0 " +
		"-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=38"
	if diff := cmp.Diff(want, flags); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// waitingWriter says when the first line of progress is written.
type waitingWriter chan string

func (w waitingWriter) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

func TestOneCompilesTheOthersWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockFile)
	unlock, err := lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	progress, got := make(waitingWriter), make(chan error, 1)
	go func() {
		unlock, err := lock(t.Context(), path, progress)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	select {
	case line := <-progress:
		if !strings.Contains(line, "waiting for another process") {
			t.Errorf("the progress says %q", line)
		}
	case err := <-got:
		t.Fatalf("two hold the lock: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the second neither waits nor gets the lock")
	}
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	seen := &watch{}
	if got := seen.doing(); got != "reading the sources" {
		t.Errorf("before the first package: %q", got)
	}
	for _, part := range []string{"k8s.io/ap", "i/core/v1\nk8s.io/api/apps/v1\n", "half"} {
		if _, err := seen.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := seen.doing(), "2 packages begun, last k8s.io/api/apps/v1"; got != want {
		t.Errorf("doing: %q, want %q", got, want)
	}
	if got := seen.complaints(); !strings.HasSuffix(got, "apps/v1\nhalf") {
		t.Errorf("complaints: %q", got)
	}
}
