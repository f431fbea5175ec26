// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// worktrees is the folder below the root that has a tree for each commit, as with
// git-sync.
const worktrees = ".worktrees"

// sync keeps the tree of a repository's ref below a root.
type sync struct {
	*options
	environ []string
}

func newSync(o *options) (*sync, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	s := &sync{options: o, environ: append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		// The root is a volume, which somebody else owns.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	)}
	if o.username != "" {
		s.environ = append(s.environ, "GIT_ASKPASS="+self, askVariable+"=1")
	}
	ssh := "ssh -o BatchMode=yes"
	if o.sshKeyFile != "" {
		ssh += " -i " + o.sshKeyFile
	}
	if !o.sshKnownHosts {
		ssh += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
	} else if o.sshKnownHostsFile != "" {
		ssh += " -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + o.sshKnownHostsFile
	}
	s.environ = append(s.environ, "GIT_SSH_COMMAND="+ssh)
	return s, os.MkdirAll(o.root, 0o755)
}

// once fetches, and publishes what is new. It returns the hash of the commit.
func (s *sync) once(ctx context.Context) (hash string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.syncTimeout)
	defer cancel()
	if _, err := os.Stat(filepath.Join(s.root, ".git")); errors.Is(err, fs.ErrNotExist) {
		if _, err := s.git(ctx, s.root, "init", "-q", "-b", "git-sync"); err != nil {
			return "", err
		}
	}
	fetch := []string{"fetch", "-q", "--no-progress", "--prune", "--no-auto-gc"}
	if s.depth > 0 {
		fetch = append(fetch, "--depth", strconv.Itoa(s.depth))
	}
	if _, err := s.git(ctx, s.root, append(fetch, "--", s.repo, s.ref)...); err != nil {
		return "", err
	}
	// A tag may be an object of its own.
	hash, err = s.git(ctx, s.root, "rev-parse", "FETCH_HEAD^{commit}")
	if err != nil {
		return "", err
	}
	tree := filepath.Join(worktrees, hash)
	target, err := s.target(tree)
	if err != nil {
		return "", err
	}
	if current, err := os.Readlink(filepath.Join(s.root, s.link)); err == nil && current == target {
		return hash, nil
	}
	if err := s.checkOut(ctx, tree, hash); err != nil {
		return "", err
	}
	if err := s.publish(target); err != nil {
		return "", err
	}
	return hash, s.tidy(ctx, hash)
}

func (s *sync) checkOut(ctx context.Context, tree, hash string) error {
	path := filepath.Join(s.root, tree)
	if err := os.RemoveAll(path); err != nil { // of an attempt that was interrupted
		return err
	}
	if _, err := s.git(ctx, s.root, "worktree", "prune"); err != nil {
		return err
	}
	if _, err := s.git(ctx, s.root, "worktree", "add", "-q", "--force", "--detach", path, hash); err != nil {
		return err
	}
	_, err := s.git(ctx, path, "submodule", "update", "-q", "--init", "--recursive", "--depth", strconv.Itoa(max(s.depth, 1)))
	return err
}

// target is what the link says. It is relative, for the volume is mounted elsewhere by
// those who read it.
func (s *sync) target(tree string) (string, error) {
	return filepath.Rel(filepath.Dir(filepath.Join(s.root, s.link)), filepath.Join(s.root, tree))
}

// publish replaces the link as a whole.
func (s *sync) publish(target string) error {
	link := filepath.Join(s.root, s.link)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(link), "tmp-link")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, next); err != nil {
		return err
	}
	return os.Rename(next, link)
}

// tidy removes the trees of other commits.
func (s *sync) tidy(ctx context.Context, hash string) error {
	trees, err := os.ReadDir(filepath.Join(s.root, worktrees))
	if err != nil {
		return err
	}
	for _, tree := range trees {
		if tree.Name() != hash {
			if err := os.RemoveAll(filepath.Join(s.root, worktrees, tree.Name())); err != nil {
				return err
			}
		}
	}
	_, err = s.git(ctx, s.root, "worktree", "prune")
	return err
}

// git returns what git prints. A login is in no argument, so in no error either.
func (s *sync) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, s.environ, 5*time.Second
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
