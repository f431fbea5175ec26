// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/credence-dev/credence/injector/search"
)

// reserved are paths that Kubernetes and the kernel need, with all below them. In most
// images /var/run is a link to /run, and the last two are one directory.
var reserved = []string{"/proc", "/sys", "/dev", "/var/run/secrets/kubernetes.io", "/run/secrets/kubernetes.io"}

// maxMode is what the API server takes for a Secret volume.
const maxMode = 0o777

// addMount reads
// "<credential>:<path>[;mode=0440][;keys=<key>[=<file>],…][;containers=a,b]".
func (w *parser) addMount(key, value string) *Error {
	reference, options, err := parseOptions(key, value, optionMode, optionKeys, optionContainers)
	if err != nil {
		return err
	}
	name, mountPath, ok := strings.Cut(reference, ":")
	name, mountPath = strings.TrimSpace(name), strings.TrimSpace(mountPath)
	if !ok || name == "" || mountPath == "" {
		return failed(key, fmt.Sprintf("the value must be <credential>:<absolute path>, not %s", Quote(reference)))
	}
	if err := checkCredentialName(key, name); err != nil {
		return err
	}
	mount := Mount{Annotation: key, Credential: name}
	var problem string
	if mount.Path, problem = CleanMountPath(mountPath); problem != "" {
		return failed(key, problem)
	}
	if err := mount.addOptions(options); err != nil {
		return err
	}
	if err := w.count(key, max(len(mount.Items), 1)); err != nil {
		return err
	}
	w.Mounts = append(w.Mounts, mount)
	return nil
}

func (m *Mount) addOptions(options map[string]string) (err *Error) {
	if mode, ok := options[optionMode]; ok {
		if m.Mode, err = parseMode(m.Annotation, mode); err != nil {
			return err
		}
	}
	if keys, ok := options[optionKeys]; ok {
		if m.Items, err = parseItems(m.Annotation, keys); err != nil {
			return err
		}
	}
	if containers, ok := options[optionContainers]; ok {
		if m.Containers, err = parseContainers(m.Annotation, containers); err != nil {
			return err
		}
	}
	return nil
}

// CleanMountPath returns the clean form of a path that may be mounted at, or the
// problem with it.
func CleanMountPath(mountPath string) (clean, problem string) {
	switch {
	case !path.IsAbs(mountPath):
		return "", fmt.Sprintf("mount path %s must be absolute", Quote(mountPath))
	case slices.Contains(strings.Split(mountPath, "/"), ".."):
		return "", fmt.Sprintf("mount path %s must not contain '..'", Quote(mountPath))
	case strings.Contains(mountPath, ":"):
		return "", fmt.Sprintf("mount path %s must not contain ':'", Quote(mountPath))
	case strings.ContainsFunc(mountPath, unicode.IsControl):
		return "", fmt.Sprintf("mount path %s must not contain control characters", Quote(mountPath))
	}
	clean = path.Clean(mountPath)
	if clean == "/" {
		return "", fmt.Sprintf("mount path %s is reserved: it is the whole file system", Quote(mountPath))
	}
	for _, r := range reserved {
		if clean == r || search.Below(clean, r) {
			return "", fmt.Sprintf("mount path %s is reserved: the container needs %s", Quote(mountPath), r)
		}
		if search.Below(r, clean) {
			return "", fmt.Sprintf("mount path %s is reserved: it would hide %s", Quote(mountPath), r)
		}
	}
	return clean, ""
}

func parseMode(key, mode string) (*int32, *Error) {
	value, err := strconv.ParseUint(mode, 8, 32)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && value > maxMode:
		return nil, failed(key, fmt.Sprintf("mode %s is out of range: it must be between 0000 and 0777", Quote(mode)))
	case err != nil:
		return nil, failed(key, fmt.Sprintf("mode %s must be an octal number such as 0440", Quote(mode)))
	}
	result := int32(value)
	return &result, nil
}

// parseItems reads "<key>[=<file>],…".
func parseItems(key, value string) ([]Item, *Error) {
	list, err := parseList(key, value, "key")
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(list))
	for _, one := range list {
		secretKey, file, named := strings.Cut(one, "=")
		secretKey, file = strings.TrimSpace(secretKey), strings.TrimSpace(file)
		if err := checkKey(key, secretKey); err != nil {
			return nil, err
		}
		if named && file == "" {
			return nil, failed(key, checkFile(file))
		}
		items = append(items, Item{Key: secretKey, File: file})
	}
	if problem := CheckItems(items); problem != "" {
		return nil, failed(key, problem)
	}
	return items, nil
}

// CheckItems names the files of items after their keys where they have no name, and
// returns the problem with them, if there is one.
func CheckItems(items []Item) (problem string) {
	var files search.Paths
	for i := range items {
		item := &items[i]
		if item.File == "" {
			item.File = item.Key
		}
		if problem := checkFile(item.File); problem != "" {
			return problem
		}
		item.File = path.Clean(item.File)
		if at := files.Conflict(item.File); at >= 0 {
			other := items[at]
			if other.File == item.File {
				return fmt.Sprintf("keys %s and %s want the same file %s", Quote(other.Key), Quote(item.Key), Quote(item.File))
			}
			return fmt.Sprintf("files %s and %s lie in one another", Quote(other.File), Quote(item.File))
		}
		files.Add(item.File)
	}
	return ""
}

// checkFile holds the API server's rules for the path of an item in a volume.
func checkFile(file string) string {
	switch {
	case file == "":
		return "a file has no name"
	case path.IsAbs(file):
		return fmt.Sprintf("file %s must be a relative path", Quote(file))
	case slices.Contains(strings.Split(file, "/"), "..") || strings.HasPrefix(file, ".."):
		return fmt.Sprintf("file %s must not contain or begin with '..'", Quote(file))
	case path.Clean(file) == ".":
		return fmt.Sprintf("file %s is a directory", Quote(file))
	case strings.ContainsFunc(file, unicode.IsControl):
		return fmt.Sprintf("file %s must not contain control characters", Quote(file))
	}
	return ""
}
