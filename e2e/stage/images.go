// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/credence-dev/credence/e2e/compile"
	"github.com/credence-dev/credence/e2e/debian"
	"github.com/credence-dev/credence/e2e/image"
)

const modulePath = "github.com/credence-dev/credence/e2e"

// user is what everything runs as: the user of Credence's fetching containers.
const user = 65533

// built is what the stage runs.
type built struct {
	registry, git, s3 named
	rclone            string // the program, for this machine
	programs          string // the folder of this module's own
}

type named struct {
	name  string
	image v1.Image
}

func (b *built) images() map[string]v1.Image {
	return map[string]v1.Image{b.registry.name: b.registry.image, b.git.name: b.git.image, b.s3.name: b.s3.image}
}

// own is the path of a program of this module.
func (b *built) own(name string) string { return filepath.Join(b.programs, name) }

func build(ctx context.Context, cacheDir string, progress io.Writer) (*built, error) {
	cacheDir, err := filepath.Abs(cacheDir)
	if err != nil {
		return nil, err
	}
	source, err := compile.Go(ctx, "", "list", "-m", "-f", "{{.Dir}}", modulePath)
	if err != nil {
		return nil, fmt.Errorf("finding the sources of the stage: %w", err)
	}
	b := &built{programs: filepath.Join(cacheDir, "stage")}
	registry, err := program(ctx, source, cacheDir, progress,
		compile.Program{Name: "registry", Package: "github.com/distribution/distribution/v3/cmd/registry", Minutes: 2})
	if err != nil {
		return nil, err
	}
	b.rclone, err = program(ctx, source, cacheDir, progress, compile.Program{Name: "rclone", Package: "github.com/rclone/rclone", Minutes: 4})
	if err != nil {
		return nil, err
	}
	// With these tags they need no C library.
	if _, err := compile.Go(ctx, source, "build", "-trimpath", "-buildvcs=false", "-tags=netgo,osusergo", "-ldflags=-s -w",
		"-o", b.programs+string(filepath.Separator), "./stage/cmd/..."); err != nil {
		return nil, fmt.Errorf("compiling the stage's own programs: %w", err)
	}
	if b.registry, err = b.registryImage(registry); err != nil {
		return nil, err
	}
	if b.git, err = b.gitImage(ctx, cacheDir, progress); err != nil {
		return nil, err
	}
	b.s3, err = b.s3Image(ctx, cacheDir, progress)
	return b, err
}

// program compiles a program of others, whose version is in a module of its own.
func program(ctx context.Context, source, cacheDir string, progress io.Writer, p compile.Program) (path string, err error) {
	kept := compile.Programs{
		Source: filepath.Join(source, "programs", p.Name), Dir: filepath.Join(cacheDir, p.Name),
		All: []compile.Program{p}, Static: true,
	}
	return filepath.Join(kept.Dir, p.Name), kept.Ensure(ctx, kept.All, progress)
}

// nameOf names an image after its content, so that nodes take it again only if it is
// another.
func nameOf(what string, made v1.Image, err error) (named, error) {
	if err != nil {
		return named{}, err
	}
	digest, err := made.Digest()
	if err != nil {
		return named{}, fmt.Errorf("reading the image %s: %w", what, err)
	}
	return named{name: "stage.test/" + what + ":" + digest.Hex[:12], image: made}, nil
}

func (b *built) registryImage(registry string) (named, error) {
	const settings = `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /registry}}
http: {relativeurls: true}
auth: {htpasswd: {realm: stage, path: /htpasswd}}
`
	made, err := image.Of(map[string]image.File{
		"registry":   {From: registry},
		"router":     {From: b.own("router")},
		"config.yml": {Content: settings, Mode: 0o644},
	}, v1.Config{User: fmt.Sprint(user)})
	return nameOf("registry", made, err)
}

// gitImage serves repositories and fetches from them.
func (b *built) gitImage(ctx context.Context, cacheDir string, progress io.Writer) (named, error) {
	root, err := debian.Root(ctx, cacheDir, progress, "git", "openssh-server", "openssh-client", "ca-certificates")
	if err != nil {
		return named{}, err
	}
	config := v1.Config{User: fmt.Sprint(user), Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Entrypoint: []string{"/usr/bin/git-sync"}}
	base, err := image.OfFolder(root, config)
	if err != nil {
		return named{}, err
	}
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil {
		return named{}, err
	}
	// ssh and sshd run for a user that is known alone.
	known := fmt.Sprintf("%sgit:x:%d:%d::/repositories:/usr/bin/git-shell\n", users, user, user)
	made, err := image.Add(base, map[string]image.File{
		"etc/passwd":        {Content: known, Mode: 0o644},
		"etc/sshd.stage":    {Content: sshdSettings, Mode: 0o644},
		"usr/bin/git-sync":  {From: b.own("gitsync")},
		"usr/bin/gitserver": {From: b.own("gitserver")},
	}, config)
	return nameOf("git", made, err)
}

// sshdSettings are those of an sshd that is not root: it takes the user that it runs as.
const sshdSettings = `Port 2222
HostKey /ssh/host
AuthorizedKeysFile /ssh/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers git
AcceptEnv GIT_PROTOCOL
PidFile none
`

// s3Image serves buckets and fetches from them. As in rclone's own image, the entrypoint
// is rclone, and busybox is the shell.
func (b *built) s3Image(ctx context.Context, cacheDir string, progress io.Writer) (named, error) {
	unpacked, err := debian.Unpack(ctx, cacheDir, progress, "busybox-static")
	if err != nil {
		return named{}, err
	}
	files := map[string]image.File{
		"usr/local/bin/rclone": {From: b.rclone},
		"bin/busybox":          {From: filepath.Join(unpacked, "bin/busybox")},
	}
	for _, name := range []string{"sh", "sleep", "test", "ls", "cat"} {
		files["bin/"+name] = image.File{Link: "busybox"}
	}
	made, err := image.Of(files, v1.Config{
		User: fmt.Sprint(user), Env: []string{"PATH=/usr/local/bin:/bin"}, WorkingDir: "/data", Entrypoint: []string{"rclone"},
	})
	return nameOf("s3", made, err)
}
