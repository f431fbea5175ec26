// SPDX-License-Identifier: Apache-2.0

// Package image makes container images without a container engine: of a single
// program, or of a file system.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// epoch is the time of all files and images, so that the same content is the same
// image.
var epoch = time.Unix(0, 0).UTC()

// File is a file of an image: that at the path From on this machine, or Content, or a
// symbolic link to Link.
type File struct {
	From    string
	Content string
	Link    string
	Mode    fs.FileMode // 0755 unless given
}

// Of makes an image of files, by their paths in it, such as a static program.
func Of(files map[string]File, config v1.Config) (v1.Image, error) {
	return Add(empty.Image, files, config)
}

// Add makes an image of another one, with files above its own, and a configuration in
// the place of its own.
func Add(base v1.Image, files map[string]File, config v1.Config) (v1.Image, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	made := map[string]bool{".": true, "/": true}
	paths := make([]string, 0, len(files))
	for at := range files {
		paths = append(paths, at)
	}
	slices.Sort(paths)
	for _, at := range paths {
		if err := addFolders(archive, made, path.Dir(strings.TrimPrefix(at, "/"))); err != nil {
			return nil, err
		}
		if err := addFile(archive, strings.TrimPrefix(at, "/"), files[at]); err != nil {
			return nil, fmt.Errorf("adding %s to an image: %w", at, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return addLayer(base, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }, config)
}

func addFolders(archive *tar.Writer, made map[string]bool, folder string) error {
	if made[folder] {
		return nil
	}
	if err := addFolders(archive, made, path.Dir(folder)); err != nil {
		return err
	}
	made[folder] = true
	mode := int64(0o755)
	if folder == "tmp" {
		mode = 0o1777
	}
	return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: mode, ModTime: epoch})
}

func addFile(archive *tar.Writer, at string, file File) error {
	if file.Link != "" {
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: at, Linkname: file.Link, Mode: 0o777, ModTime: epoch})
	}
	content := []byte(file.Content)
	if file.From != "" {
		var err error
		if content, err = os.ReadFile(file.From); err != nil {
			return err
		}
	}
	mode := file.Mode
	if mode == 0 {
		mode = 0o755
	}
	header := &tar.Header{Name: at, Mode: int64(mode.Perm()), Size: int64(len(content)), ModTime: epoch}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

// OfFolder makes an image of all that is in a folder, with its owners and modes. The
// folder must stay as it is until the image was written.
func OfFolder(folder string, config v1.Config) (v1.Image, error) {
	return addLayer(empty.Image, func() (io.ReadCloser, error) { return tarOf(folder) }, config)
}

// tarOf has tar read a folder, for it knows of links, devices and capabilities.
func tarOf(folder string) (io.ReadCloser, error) {
	cmd := exec.Command("tar", "-C", folder, "--one-file-system", "--numeric-owner", "--xattrs", "--xattrs-include=security.capability",
		"--sort=name", "--pax-option=delete=atime,delete=ctime", "-c", ".")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", folder, err)
	}
	return &running{ReadCloser: out, cmd: cmd, complaints: &complaints}, nil
}

// running is what a program writes.
type running struct {
	io.ReadCloser
	cmd        *exec.Cmd
	complaints *bytes.Buffer
}

// Read fails at the end where the program did.
func (r *running) Read(data []byte) (int, error) {
	n, err := r.ReadCloser.Read(data)
	if err == io.EOF {
		if failed := r.cmd.Wait(); failed != nil {
			return n, fmt.Errorf("tar: %w: %s", failed, r.complaints)
		}
	}
	return n, err
}

func addLayer(base v1.Image, open tarball.Opener, config v1.Config) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(open, tarball.WithCompressionLevel(1))
	if err != nil {
		return nil, fmt.Errorf("making a layer: %w", err)
	}
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config, file.Created = "linux", runtime.GOARCH, config, v1.Time{Time: epoch}
	return mutate.ConfigFile(image, file)
}

// Write writes images, by their names, into one archive as container engines load it.
func Write(file string, images map[string]v1.Image) error {
	tagged := map[name.Tag]v1.Image{}
	for text, image := range images {
		tag, err := name.NewTag(text)
		if err != nil {
			return fmt.Errorf("naming an image: %w", err)
		}
		tagged[tag] = image
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := tarball.MultiWriteToFile(file, tagged); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}
