// SPDX-License-Identifier: Apache-2.0

// Package compile makes programs from modules that name their versions, and keeps
// them in a folder until the versions change.
package compile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	// stampFile, beside the programs, says what they were compiled from.
	stampFile = "programs.stamp"
	lockFile  = "programs.lock"

	progressInterval = 15 * time.Second
	lockInterval     = 250 * time.Millisecond
)

// Program is one of the programs of a module: the name of its file and the Go
// package it is compiled from.
type Program struct {
	Name    string
	Package string
	Minutes int // about how long the first compilation takes on two cores
}

// Programs are those of a module that are kept in a folder.
type Programs struct {
	// Source is the folder of the module that names the versions of the programs.
	Source string
	// Dir is where the programs are.
	Dir string
	// All are the programs that belong there: what a change of versions makes outdated.
	All []Program
	// Kubernetes says that the programs are Kubernetes' own, which are told their version.
	Kubernetes bool
	// Static links the C library, too, for images that have nothing else. Needs glibc's
	// static archive, which comes with Debian's libc6-dev.
	Static bool
}

// Ensure compiles those of wanted that the folder does not hold, or holds from
// something else than what the module says today. What is being done is told to
// progress, line by line. Several callers may do so at once: one compiles, the
// others wait for it.
func (s Programs) Ensure(ctx context.Context, wanted []Program, progress io.Writer) error {
	want, err := s.stamp(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the programs: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(s.Dir, lockFile), progress)
	if err != nil {
		return err
	}
	defer unlock()

	if err := s.discardOutdated(want); err != nil {
		return err
	}
	var missing []Program
	minutes := 0
	for _, p := range wanted {
		if !IsProgram(filepath.Join(s.Dir, p.Name)) {
			missing = append(missing, p)
			minutes += p.Minutes
		}
	}
	if len(missing) == 0 {
		return nil
	}
	flags, err := s.linkerFlags(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "compiling %s into %s\n", Names(missing), s.Dir)
	fmt.Fprintf(progress, "the first time this takes about %d minutes on two cores, later a few seconds\n", minutes)
	for i, p := range missing {
		title := fmt.Sprintf("[%d/%d] %s", i+1, len(missing), p.Name)
		if err := s.compile(ctx, p, flags, title, progress); err != nil {
			return err
		}
	}
	return nil
}

// Stamp says what the programs in a folder were compiled from, in a line that is
// another one when they are.
func Stamp(dir string) (string, error) {
	stamp, err := os.ReadFile(filepath.Join(dir, stampFile))
	if err != nil {
		return "", fmt.Errorf("reading the stamp of the programs: %w", err)
	}
	return string(stamp), nil
}

// IsProgram says whether path is a file that can be run.
func IsProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// Names of programs, for people.
func Names(list []Program) string {
	var all []string
	for _, p := range list {
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}

// discardOutdated removes the programs unless their stamp says want. So a program
// that is there was compiled from what the stamp says.
func (s Programs) discardOutdated(want string) error {
	path := filepath.Join(s.Dir, stampFile)
	have, err := os.ReadFile(path)
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the stamp of the programs: %w", err)
	}
	for _, p := range s.All {
		if err := os.Remove(filepath.Join(s.Dir, p.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an outdated program: %w", err)
		}
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		return fmt.Errorf("writing the stamp of the programs: %w", err)
	}
	return nil
}

// compile builds a program. Its file appears only once it is complete.
func (s Programs) compile(ctx context.Context, p Program, linkerFlags, title string, progress io.Writer) error {
	began := time.Now()
	elapsed := func() time.Duration { return time.Since(began).Round(time.Second) }
	fmt.Fprintf(progress, "%s: started\n", title)

	target := filepath.Join(s.Dir, p.Name)
	unfinished := target + ".unfinished"
	defer os.Remove(unfinished)
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags", linkerFlags, "-o", unfinished, p.Package)
	cmd.Dir = s.Source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	seen := &watch{}
	cmd.Stderr = seen

	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(progress, "%s: %s, %s\n", title, elapsed(), seen.doing())
		case err := <-done:
			if err != nil {
				return fmt.Errorf("compiling %s after %s: %w\n%s", p.Package, elapsed(), err, seen.complaints())
			}
			if err := os.Rename(unfinished, target); err != nil {
				return fmt.Errorf("putting %s in place: %w", p.Package, err)
			}
			fmt.Fprintf(progress, "%s: done in %s\n", title, elapsed())
			return nil
		}
	}
}

// stamp is the hash of all that decides what the programs become.
func (s Programs) stamp(ctx context.Context) (string, error) {
	toolchain, err := Go(ctx, s.Source, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", fmt.Errorf("asking for the version of Go: %w", err)
	}
	hash := sha256.New()
	fmt.Fprintln(hash, toolchain, s.Static)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(s.Source, name))
		if err != nil {
			return "", fmt.Errorf("reading the versions of the programs: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil)) + "\n", nil
}

// linkerFlags put the version into programs of Kubernetes: without it the API server
// calls itself v0.0.0-master+$Format, which Helm and others refuse.
func (s Programs) linkerFlags(ctx context.Context) (string, error) {
	flags := "-s -w"
	if s.Static {
		// In this way, not by CGO_ENABLED=0, all but the linking is shared with the other programs.
		flags += " -linkmode external -extldflags -static"
	}
	if !s.Kubernetes {
		return flags, nil
	}
	version, err := Go(ctx, s.Source, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) != 3 {
		return "", fmt.Errorf("version %q of Kubernetes is not of the form v1.2.3", version)
	}
	const variable = " -X k8s.io/component-base/version."
	return flags + fmt.Sprintf("%[1]sgitVersion=%[2]s%[1]sgitMajor=%[3]s%[1]sgitMinor=%[4]s",
		variable, version, parts[0], parts[1]), nil
}

// Go runs the go command in dir ("" for the current one) and returns its
// output without the white space around it.
func Go(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	if dir != "" {
		cmd.Env = append(os.Environ(), "GOWORK=off")
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// lock takes the lock at path and returns the function that gives it back.
func lock(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	fileLock := flock.New(path)
	locked, err := fileLock.TryLock()
	if err == nil && !locked {
		fmt.Fprintln(progress, "waiting for another process that compiles the programs")
		_, err = fileLock.TryLockContext(ctx, lockInterval)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the folder of the programs: %w", err)
	}
	return func() { _ = fileLock.Close() }, nil
}
