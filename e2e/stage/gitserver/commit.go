// SPDX-License-Identifier: Apache-2.0

package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Commit is a commit to be made.
type Commit struct {
	// Repository is its name, such as team-a/code. It is made if there is none.
	Repository string `json:"repository"`
	// Branch is made if there is none. The first is that of the repository.
	Branch string `json:"branch"`
	// Files are all that the tree holds, by their paths.
	Files map[string]string `json:"files"`
}

// add makes the commit and returns its hash.
func (c Commit) add(ctx context.Context, root string) (string, error) {
	if !filepath.IsLocal(c.Repository) || c.Branch == "" || len(c.Files) == 0 {
		return "", errors.New("a commit needs a repository, a branch and files")
	}
	dir := filepath.Join(root, c.Repository+".git")
	if err := c.ensure(ctx, dir); err != nil {
		return "", err
	}
	index, err := os.MkdirTemp("", "index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(index)
	g := git{dir: dir, environ: []string{"GIT_INDEX_FILE=" + filepath.Join(index, "index")}}
	for path, content := range c.Files {
		blob, err := g.run(ctx, content, "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		if _, err := g.run(ctx, "", "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path); err != nil {
			return "", err
		}
	}
	tree, err := g.run(ctx, "", "write-tree")
	if err != nil {
		return "", err
	}
	args, branch := []string{"commit-tree", tree}, "refs/heads/"+c.Branch
	if parent, err := g.run(ctx, "", "rev-parse", "-q", "--verify", branch); err == nil {
		args = append(args, "-p", parent)
	}
	hash, err := g.run(ctx, "A commit of the stage", args...)
	if err != nil {
		return "", err
	}
	_, err = g.run(ctx, "", "update-ref", branch, hash)
	return hash, err
}

// ensure makes the repository if there is none.
func (c Commit) ensure(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := git{dir: dir}.run(ctx, "", "init", "-q", "--bare", "-b", c.Branch)
	if err != nil {
		return err
	}
	// A revision may be a hash that no branch ends at.
	_, err = git{dir: dir}.run(ctx, "", "config", "uploadpack.allowAnySHA1InWant", "true")
	return err
}

// git runs git in a repository.
type git struct {
	dir     string
	environ []string
}

func (g git) run(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = g.dir, strings.NewReader(input)
	cmd.Env = append(os.Environ(), append(g.environ, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=stage", "GIT_AUTHOR_EMAIL=stage@example.com", "GIT_COMMITTER_NAME=stage", "GIT_COMMITTER_EMAIL=stage@example.com")...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
