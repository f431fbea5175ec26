// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/credence-dev/credence/e2e/compile"
)

// packages are what kind's own image installs, and what it compiles where Debian has it.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount",
	"kmod", "libseccomp2", "pigz", "e2fsprogs", "bash", "ca-certificates", "curl", "jq", "procps", "hostname", "socat",
	"containerd", "runc", "containernetworking-plugins",
}

// furnish makes a node of a minimal Debian.
func furnish(ctx context.Context, root string, p programs, version string) error {
	base, err := kindFiles(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return addPrograms(root, p) },
		func() error { return addFiles(root, base, version) },
		func() error { return configureContainerd(ctx, root, p, version) },
		func() error { return tameSystemd(ctx, root) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// kindFiles is the folder of the files that kind's image is made with.
func kindFiles(ctx context.Context) (string, error) {
	dir, err := compile.Go(ctx, "", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "images/base/files"), nil
}

func addPrograms(root string, p programs) error {
	for _, name := range []string{"kubeadm", "kubelet", "kubectl"} {
		if err := copyFile(p.of(name), filepath.Join(root, "usr/bin", name), 0o755); err != nil {
			return err
		}
	}
	// kind's unit files and scripts look for these where its image has them.
	for _, name := range []string{"containerd", "ctr", "containerd-shim-runc-v2"} {
		if err := os.Symlink("/usr/bin/"+name, filepath.Join(root, "usr/local/bin", name)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "opt/cni"), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(root, "usr/lib/cni"), filepath.Join(root, "opt/cni/bin"))
}

// addFiles adds kind's files and ours.
func addFiles(root, base, version string) error {
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		at, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.Contains(at, "bin/") { // modules keep no modes
			mode = 0o755
		}
		return copyFile(path, filepath.Join(root, at), mode)
	})
	if err != nil {
		return fmt.Errorf("adding kind's files: %w", err)
	}
	for _, folder := range []string{"etc/kubernetes/manifests", "etc/cni/net.d"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		write(root, "kind/version", []byte(version)),
		ownFile(root, "default-storage.yaml", "kind/manifests/default-storage.yaml"),
		ownFile(root, "pod-routes.service", "etc/systemd/system/pod-routes.service"),
		ownFile(root, "bake.toml", "run/bake/config.toml"),
	)
}

// configureContainerd changes what kind's image changes while it is made, and what it
// must for this image.
func configureContainerd(ctx context.Context, root string, p programs, version string) error {
	path := filepath.Join(root, "etc/containerd/config.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tags, err := imageNames(ctx, p, version)
	if err != nil {
		return err
	}
	config := regexp.MustCompile(`(?m)^(\s*sandbox_image = ).*$`).ReplaceAllString(string(text), `${1}"`+tags["pause"]+`"`)
	// Where the machine lacks CAP_SYS_RESOURCE, containers cannot be favoured.
	config = strings.Replace(config, "restrict_oom_score_adj = false", "restrict_oom_score_adj = true", 1)
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return err
	}
	said, err := exec.CommandContext(ctx, "chroot", root, "ctr", "oci", "spec").Output()
	if err != nil {
		return fmt.Errorf("asking for the usual settings of containers: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(said, &spec); err != nil {
		return err
	}
	spec["hooks"] = map[string]any{"createContainer": []any{map[string]any{"path": "/kind/bin/mount-product-files.sh"}}}
	delete(spec["process"].(map[string]any), "rlimits")
	changed, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return write(root, "etc/containerd/cri-base.json", changed)
}

// tameSystemd leaves systemd the units that make sense in a container.
func tameSystemd(ctx context.Context, root string) error {
	for _, pattern := range []string{
		"lib/systemd/system/multi-user.target.wants/*", "etc/systemd/system/*.wants/*", "lib/systemd/system/local-fs.target.wants/*",
		"lib/systemd/system/sockets.target.wants/*udev*", "lib/systemd/system/sockets.target.wants/*initctl*",
		"lib/systemd/system/basic.target.wants/*", "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
	} {
		units, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, unit := range units {
			if err := os.Remove(unit); err != nil {
				return err
			}
		}
	}
	if err := write(root, "etc/systemd/journald.conf", []byte("[Journal]\nReadKMsg=no\n")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"enable", "kubelet.service", "containerd.service", "undo-mount-hacks.service", "pod-routes.service"},
		{"mask", "systemd-binfmt.service"},
	} {
		if said, err := exec.CommandContext(ctx, "chroot", append([]string{root, "systemctl"}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl %s: %w: %s", args[0], err, said)
		}
	}
	return nil
}

func ownFile(root, name, at string) error {
	content, err := source.ReadFile("files/" + name)
	if err != nil {
		return err
	}
	return write(root, at, content)
}

func write(root, at string, content []byte) error {
	path := filepath.Join(root, at)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func copyFile(from, to string, mode fs.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil { // it may be a link
		return err
	}
	return os.WriteFile(to, content, mode)
}
