// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// reader does what pages say, as somebody with a checkout and a shell.
type reader struct {
	*testing.T
	cluster *local.Cluster
	// dir is where commands are run.
	dir string
	env []string
}

func newReader(t *testing.T, cluster *local.Cluster) *reader {
	t.Helper()
	r := &reader{T: t, cluster: cluster, dir: t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	charts, err := filepath.Abs("../../charts")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "bin")
	if err := errors.Join(
		os.Mkdir(path, 0o755),
		os.Symlink(self, filepath.Join(path, "kubectl")),
		os.Symlink(self, filepath.Join(path, "helm")),
		os.Symlink(options.Program, filepath.Join(path, "credence")),
		os.Symlink(charts, filepath.Join(r.dir, "charts")),
	); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig(), "HOME="+r.dir, "PATH="+path+":"+os.Getenv("PATH"))
	return r
}

// reads does what a page says, block by block. Output that is shown is that of the
// block above it.
func (r *reader) reads(page Page) {
	r.Helper()
	for i := 0; i < len(page.Blocks); i++ {
		block, shown := page.Blocks[i], ""
		if i+1 < len(page.Blocks) && page.Blocks[i+1].Language == "text" {
			i++
			shown = page.Blocks[i].Text
		}
		if err := r.does(block, shown); err != nil {
			r.Fatalf("%s:%d: %v", page.Path, block.Line, err)
		}
	}
}

// file is the name of a file in a first line such as "# values.yaml".
var file = regexp.MustCompile(`^# ([a-z.-]+[.]yaml)\n`)

func (r *reader) does(block Block, shown string) error {
	switch {
	case block.Language == "sh" && strings.HasPrefix(block.Note, "not run: "):
		return r.shell([]string{"-n"}, block.Text, "", shown)
	case block.Language == "sh":
		return r.shell([]string{"-eu", "-o", "pipefail"}, block.Text, "", shown)
	case block.Language != "yaml":
		return fmt.Errorf("what to do with a block of %q?", block.Language)
	}
	if name := file.FindStringSubmatch(block.Text); name != nil {
		return os.WriteFile(filepath.Join(r.dir, name[1]), []byte(block.Text), 0o600)
	}
	if err := r.shell(nil, "kubectl apply -f -", block.Text, shown); err != nil || shown != "" {
		return err
	}
	objects, err := block.Objects()
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		return errors.New("nothing to apply, and no name of a file")
	}
	return r.observe(block, objects)
}

// refusal is how kubectl begins what failed.
var refusal = regexp.MustCompile(`^(Error|The \w+ "[^"]+" is invalid)`)

// shell runs commands. Where output is shown it is read until it is so: much follows
// a moment after.
func (r *reader) shell(flags []string, commands, input, shown string) error {
	run := func(ctx context.Context) (string, error) {
		command := exec.CommandContext(ctx, "bash", append(slices.Clone(flags), "-c", commands)...)
		command.Dir, command.Env, command.Stdin = r.dir, r.env, strings.NewReader(input)
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		err := command.Run()
		return out.String(), err
	}
	if shown == "" {
		if out, err := run(r.Context()); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}
	fails := refusal.MatchString(shown)
	var out string
	err := local.Poll(r.Context(), "what is shown", func(ctx context.Context) (bool, error) {
		now, failed := run(ctx)
		if ctx.Err() == nil { // else it was cut short
			out = now
		}
		return (failed != nil) == fails && isShown(shown, now), nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// isShown compares output without regard to how it is laid out. "…" stands for anything.
func isShown(shown, out string) bool {
	parts := strings.Split(plain(shown), "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(plain(out))
}

func plain(text string) string { return strings.Join(strings.Fields(text), " ") }

// observe waits until what was applied is as the reader expects: operators of others
// have written their Secrets, and our own objects are ready.
func (r *reader) observe(block Block, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := operate(r.Context(), r.cluster.Client(), object); err != nil {
			return err
		}
	}
	for _, object := range objects {
		if object.GroupVersionKind().Group != v1alpha1.Group || strings.HasPrefix(block.Note, "not ready: ") {
			continue
		}
		var now []any
		err := local.Poll(r.Context(), object.GetKind()+" "+object.GetName()+" to be ready", func(ctx context.Context) (bool, error) {
			err := r.cluster.Client().Get(ctx, client.ObjectKeyFromObject(object), object)
			now, _, _ = unstructured.NestedSlice(object.Object, "status", "conditions")
			return slices.ContainsFunc(now, func(one any) bool {
				condition, _ := one.(map[string]any)
				return condition["type"] == v1alpha1.ConditionReady && condition["status"] == "True"
			}), err
		})
		if err != nil {
			return fmt.Errorf("%w; its conditions are %v", err, now)
		}
	}
	return nil
}

func TestIsShown(t *testing.T) {
	for name, test := range map[string]struct {
		shown, out string
		want       bool
	}{
		"the same":           {"A   B\nc d\n", "A B\nc   d\n", true},
		"something left out": {"A …\nc …", "A 1\nc 2s\n", true},
		"more than is shown": {"A", "A B", false},
		"less than is shown": {"A B", "A", false},
		"no pattern":         {"A.*", "AB", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isShown(test.shown, test.out); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
