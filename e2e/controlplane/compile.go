// SPDX-License-Identifier: Apache-2.0

package controlplane

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
	modulePath = "github.com/credence-dev/credence/e2e"
	// stampFile, beside the programs, says what they were compiled from.
	stampFile = "programs.stamp"
	lockFile  = "programs.lock"

	progressInterval = 15 * time.Second
	lockInterval     = 250 * time.Millisecond
)

// compileMissing compiles those of wanted that dir does not hold, or holds from
// something else than what the module in the folder source says today.
func compileMissing(ctx context.Context, source, dir string, wanted []program, progress io.Writer) error {
	want, err := stamp(ctx, source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the programs: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, lockFile), progress)
	if err != nil {
		return err
	}
	defer unlock()

	if err := discardOutdated(dir, want); err != nil {
		return err
	}
	var missing []program
	minutes := 0
	for _, p := range wanted {
		if !isProgram(filepath.Join(dir, p.name)) {
			missing = append(missing, p)
			minutes += p.minutes
		}
	}
	if len(missing) == 0 {
		return nil
	}
	flags, err := linkerFlags(ctx, source)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "compiling %s into %s\n", names(missing), dir)
	fmt.Fprintf(progress, "the first time this takes about %d minutes on two cores, later a few seconds\n", minutes)
	for i, p := range missing {
		title := fmt.Sprintf("[%d/%d] %s", i+1, len(missing), p.name)
		if err := compile(ctx, source, filepath.Join(dir, p.name), p.pkg, flags, title, progress); err != nil {
			return err
		}
	}
	return nil
}

// discardOutdated removes the programs in dir unless its stamp says want. So a
// program that is there was compiled from what the stamp says.
func discardOutdated(dir, want string) error {
	path := filepath.Join(dir, stampFile)
	have, err := os.ReadFile(path)
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the stamp of the programs: %w", err)
	}
	for _, p := range programs {
		if err := os.Remove(filepath.Join(dir, p.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an outdated program: %w", err)
		}
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		return fmt.Errorf("writing the stamp of the programs: %w", err)
	}
	return nil
}

// compile builds pkg as the file target, which appears only once it is complete.
func compile(ctx context.Context, source, target, pkg, linkerFlags, title string, progress io.Writer) error {
	began := time.Now()
	elapsed := func() time.Duration { return time.Since(began).Round(time.Second) }
	fmt.Fprintf(progress, "%s: started\n", title)

	unfinished := target + ".unfinished"
	defer os.Remove(unfinished)
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags", linkerFlags, "-o", unfinished, pkg)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	watch := &compilerWatch{}
	cmd.Stderr = watch

	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(progress, "%s: %s, %s\n", title, elapsed(), watch.doing())
		case err := <-done:
			if err != nil {
				return fmt.Errorf("compiling %s after %s: %w\n%s", pkg, elapsed(), err, watch.complaints())
			}
			if err := os.Rename(unfinished, target); err != nil {
				return fmt.Errorf("putting %s in place: %w", pkg, err)
			}
			fmt.Fprintf(progress, "%s: done in %s\n", title, elapsed())
			return nil
		}
	}
}

// sourceFolder is the folder of the module that names the versions of the
// programs.
func sourceFolder(ctx context.Context) (string, error) {
	dir, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}", modulePath)
	if err != nil {
		return "", fmt.Errorf("finding the sources of the programs: %w", err)
	}
	return filepath.Join(dir, "programs"), nil
}

// stamp is the hash of all that decides what the programs in the folder source
// become.
func stamp(ctx context.Context, source string) (string, error) {
	toolchain, err := goCommand(ctx, source, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", fmt.Errorf("asking for the version of Go: %w", err)
	}
	hash := sha256.New()
	fmt.Fprintln(hash, toolchain)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", fmt.Errorf("reading the versions of the programs: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil)) + "\n", nil
}

// linkerFlags put the version into the programs: without it the API server calls
// itself v0.0.0-master+$Format, which Helm and others refuse.
func linkerFlags(ctx context.Context, source string) (string, error) {
	version, err := goCommand(ctx, source, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) != 3 {
		return "", fmt.Errorf("version %q of Kubernetes is not of the form v1.2.3", version)
	}
	const variable = "-X k8s.io/component-base/version."
	return fmt.Sprintf("-s -w %sgitVersion=%s %sgitMajor=%s %sgitMinor=%s",
		variable, version, variable, parts[0], variable, parts[1]), nil
}

// goCommand runs the go command in dir ("" for the current one) and returns its
// output without the white space around it.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
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
