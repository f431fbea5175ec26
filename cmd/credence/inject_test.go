// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/credence-dev/credence/injector/golden"
)

const goldenFolder = "../../injector/testdata"

// asProgram makes the test binary the program itself, for what only a process has:
// its exit status.
const asProgram = "CREDENCE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	ctrl.SetLogger(logr.Discard()) // what starts an API server for tests logs there
	os.Exit(m.Run())
}

// injectArguments are those of a case, from within its folder.
func injectArguments(t *testing.T, c *golden.Case) []string {
	t.Helper()
	assets, err := filepath.Rel(c.Folder, c.Assets)
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"-f", golden.WorkloadFile, "--assets", assets}
	if !slices.Contains(c.Flags.Text, "-n") {
		arguments = append(arguments, "-n", "team-a")
	}
	return append(arguments, c.Flags.Text...)
}

// runInject runs the command within this process, and writes its error as main
// does.
func runInject(arguments []string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	command := newInjectCommand()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(arguments)
	command.SetIn(strings.NewReader(""))
	command.SetOut(&out)
	command.SetErr(&errOut)
	if err = command.Execute(); err != nil {
		errOut.WriteString("Error: " + err.Error() + "\n")
	}
	return out.String(), errOut.String(), err
}

func TestInjectGolden(t *testing.T) {
	cases, err := golden.Load(goldenFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			arguments := injectArguments(t, &c)
			t.Chdir(c.Folder)
			stdout, stderr, err := runInject(arguments)
			if refused := c.Want == nil; refused != (err != nil) {
				t.Errorf("refused: want %t, got %v", refused, err)
			}
			if diff := cmp.Diff(string(c.Want), stdout); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.Join(c.Messages, "\n"), strings.TrimSuffix(stderr, "\n")); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInjectValues holds that no value of a Secret is ever printed: the Secrets
// of all cases have the same.
func TestInjectValues(t *testing.T) {
	const canary = "canary-not-a-secret"
	cases, err := golden.Load(goldenFolder)
	if err != nil {
		t.Fatal(err)
	}
	planted := 0
	for _, c := range cases {
		assets, err := os.ReadFile(c.Assets)
		if err != nil {
			t.Fatal(err)
		}
		planted += bytes.Count(assets, []byte(canary)) + bytes.Count(c.Workload, []byte(canary))
		for _, output := range []string{"yaml", "json", "patch"} {
			arguments := append(injectArguments(t, &c), "-o", output)
			t.Run(c.Name+"/"+output, func(t *testing.T) {
				t.Chdir(c.Folder)
				stdout, stderr, _ := runInject(arguments)
				if strings.Contains(stdout+stderr, canary) {
					t.Errorf("prints a value:\n%s\n%s", stdout, stderr)
				}
			})
		}
	}
	if planted == 0 {
		t.Error("no Secret has a value to look for")
	}
}

func TestInjectProgram(t *testing.T) {
	const (
		pod      = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {credence.dev/credentials: tokens}}\nspec: {containers: [{name: main}]}\n"
		injected = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {credence.dev/credentials: tokens, credence.dev/injected: '{\"tokens\":[\"envFrom\"]}'}}\nspec: {containers: [{name: main, envFrom: [{secretRef: {name: tokens}}]}]}\n"
		bad      = "Error: standard input, document 1 (line 3): Pod web: annotation credence.dev/credentials: there is no credential \"tokenz\" in namespace team-a; did you mean \"tokens\"?\n"
		warning  = "Warning: Pod web: credential \"coming\" is not in namespace team-a yet; the pod starts when it is\n"
	)
	assets := filepath.Join(goldenFolder, golden.AssetsFile)
	folder := t.TempDir()
	for file, text := range map[string]string{
		"b.yaml":           strings.Replace(pod, "web", "b", 1),
		"a.json":           `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}`,
		"below/c.yml":      "apiVersion: v1\nkind: Service\nmetadata: {name: c}\n",
		"below/readme.txt": "not a manifest: [",
	} {
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(folder, "below"), link); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		arguments      []string
		stdin          string
		stdout, stderr string
		status         int
	}{
		"standard input": {
			arguments: []string{"-f", "-", "--assets", assets, "-n", "team-a"},
			stdin:     pod, stdout: injected,
		},
		"refused": {
			arguments: []string{"-f", "-", "--assets", assets, "-n", "team-a"},
			stdin:     strings.Replace(pod, "tokens", "tokenz", 1), stderr: bad, status: 1,
		},
		"warning": {
			arguments: []string{"-f", "-", "--assets", assets, "-n", "team-a", "-o", "patch"},
			stdin:     strings.Replace(pod, "tokens", "coming", 1), stderr: warning,
			stdout: `[{"op":"add","path":"/spec/containers/0/envFrom","value":[{"secretRef":{"name":"genericsecret-coming"}}]},{"op":"add","path":"/metadata/annotations/credence.dev~1injected","value":"{\"coming\":[\"envFrom\"]}"}]` + "\n",
		},
		"folder": {
			arguments: []string{"-f", folder, "--assets", assets, "-n", "team-a"},
			stdout: "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n---\n" + strings.Replace(injected, "web", "b", 1) +
				"---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n",
		},
		"several files": {
			arguments: []string{"-f", filepath.Join(folder, "below"), "-f", filepath.Join(folder, "below", "c.yml")},
			stdout:    "apiVersion: v1\nkind: Service\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n",
		},
		"assets in two places": {
			arguments: []string{"-f", "-", "--assets", folder, "--assets", assets, "-n", "team-a"},
			stdin:     pod, stdout: injected,
		},
		"link to a folder": {
			arguments: []string{"-f", link, "--assets", assets, "-n", "team-a"},
			stdout:    "apiVersion: v1\nkind: Service\nmetadata: {name: c}\n",
		},
		"folder without manifests": {
			arguments: []string{"-f", empty, "--assets", assets, "-n", "team-a"},
			stderr:    "Error: reading " + empty + ": there is no manifest in this folder; they end in .yaml, .yml or .json\n", status: 1,
		},
		"assets that no cluster takes": {
			arguments: []string{"-f", filepath.Join(folder, "below"), "--assets", "-"},
			stdin:     "kind: Credential\napiVersion: credence.dev/v1alpha1\nmetadata: {name: c}\nspec:\n  type: generic\n  scope: {level: project}\n",
			stderr:    "Error: standard input, document 1 (line 4): the Credential is not valid: spec.secretRef: Required value\n", status: 1,
		},
		"a kind that is not known": {
			arguments: []string{"-f", "-"},
			stdin:     "kind: deployment\napiVersion: apps/v1\nmetadata: {name: web, annotations: {credence.dev/credentials: a}}\n",
			stdout:    "kind: deployment\napiVersion: apps/v1\nmetadata: {name: web, annotations: {credence.dev/credentials: a}}\n",
			stderr:    "Warning: deployment web: apps/v1 deployment is not a kind of workload that Credence knows; nothing is injected; did you mean \"apps/v1 Deployment\"?\n",
		},
		"no namespace": {
			arguments: []string{"-f", "-", "-n", ""},
			stderr:    "Error: \"\" cannot be the name of a namespace: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n", status: 1,
		},
		"assets from standard input": {
			arguments: []string{"-f", filepath.Join(folder, "below"), "--assets", "-"},
			stdin:     "kind: Credential\napiVersion: credence.dev/v1alpha1\nspec: {typ: generic}\n",
			stderr:    "Error: standard input, document 1 (line 3): the Credential cannot be read: unknown field \"spec.typ\"\n", status: 1,
		},
		"standard input twice": {
			arguments: []string{"-f", "-", "--assets", "-"},
			stderr:    "Error: standard input (-) can be read only once\n", status: 1,
		},
		"no assets": {
			arguments: []string{"-f", "-", "-n", "team-a"}, stdin: pod,
			stderr: "Error: standard input, document 1 (line 3): Pod web: annotation credence.dev/credentials: namespace team-a is not a project; label it credence.dev/project=<name>\n", status: 1,
		},
		"nothing": {
			arguments: []string{"-f", "-", "--assets", assets},
		},
		"no file": {
			arguments: []string{"-f", "no-such-file"},
			stderr:    "Error: stat no-such-file: no such file or directory\n", status: 1,
		},
		"no flag": {
			stderr: "Error: required flag(s) \"filename\" not set\n", status: 1,
		},
		"unknown format": {
			arguments: []string{"-f", "-", "-o", "xml"},
			stderr:    "Error: output format \"xml\" is unknown; it is yaml, json or patch\n", status: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			program := exec.Command(os.Args[0], append([]string{"inject"}, test.arguments...)...)
			program.Env = append(os.Environ(), asProgram+"=1")
			program.Stdin, program.Stdout, program.Stderr = strings.NewReader(test.stdin), &stdout, &stderr
			err := program.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if status := program.ProcessState.ExitCode(); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if diff := cmp.Diff(test.stdout, stdout.String()); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.stderr, stderr.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFlagsAreChecked: a label that nothing can have would make no namespace a
// project, and say nothing.
func TestFlagsAreChecked(t *testing.T) {
	for flag, want := range map[string]string{
		"--project-label=":            "name part must be non-empty",
		"--department-label=a b":      "name part must consist of",
		"--system-namespace=A":        "must consist of lower case",
		"--install-namespace=a.b":     "must not contain dots",
		"--project-label=runai/queue": "",
	} {
		t.Run(flag, func(t *testing.T) {
			_, _, err := runInject([]string{flag, "-f", "-"})
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
