// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"os"
	"strings"
)

// traces are what dockerd makes outside its folders, what is inside a folder before
// it: a key of an older day, the folder of containerd's additions, and the one that
// kind mounts into nodes.
var traces = []string{
	"/etc/docker/key.json", "/etc/docker", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd", "/lib/modules",
}

// noteTraces writes down what of them is not there before the engine starts.
func (o *own) noteTraces() error {
	if _, err := os.Stat(o.path("absent")); err == nil {
		return nil // from before an engine that has ended otherwise than by Stop
	}
	var absent []string
	for _, path := range traces {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			absent = append(absent, path)
		}
	}
	return os.WriteFile(o.path("absent"), []byte(strings.Join(absent, "\n")), 0o644)
}

// removeTraces removes what was not there before, and what the engine needs only while
// it runs.
func (o *own) removeTraces() error {
	absent, err := os.ReadFile(o.path("absent"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for path := range strings.FieldsSeq(string(absent)) {
		_ = os.Remove(path) // a folder that somebody has put something into stays
	}
	return errors.Join(os.RemoveAll(o.path("run")), os.RemoveAll(o.path("absent")), os.RemoveAll(o.path("docker.sock")))
}
