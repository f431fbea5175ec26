// SPDX-License-Identifier: Apache-2.0

// Command probe says what variables and files its container really has, by digests.
// It never prints a value. Files are read again every second, and a line is written
// when something about one has changed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/credence-dev/credence/e2e/stage/report"
)

// list is a flag that may be given often.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

func main() {
	var variables, files list
	flag.Var(&variables, "env", "the name of a variable; may be given often")
	flag.Var(&files, "file", "the path of a file; may be given often")
	exit := flag.Int("exit", -1, "end at once with this status; otherwise it goes on until it is told to end")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "probe: takes no arguments but flags")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	once := *exit >= 0
	if err := run(ctx, os.Stdout, variables, files, once); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
	if once {
		os.Exit(*exit)
	}
}

func run(ctx context.Context, out io.Writer, variables, files []string, once bool) error {
	lines := json.NewEncoder(out)
	for _, name := range variables {
		if err := lines.Encode(ofVariable(name)); err != nil {
			return err
		}
	}
	said := map[string]report.Line{}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		for _, path := range files {
			line := ofFile(path)
			if before, known := said[path]; known && before == line {
				continue
			}
			said[path] = line
			if err := lines.Encode(line); err != nil {
				return err
			}
		}
		if once {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

func ofVariable(name string) report.Line {
	value, set := os.LookupEnv(name)
	if !set {
		return report.Line{Env: name, Missing: true}
	}
	return report.Line{Env: name, SHA256: report.Digest([]byte(value))}
}

func ofFile(path string) report.Line {
	info, err := os.Stat(path)
	if err != nil {
		return report.Line{File: path, Missing: errors.Is(err, fs.ErrNotExist), Unreadable: !errors.Is(err, fs.ErrNotExist)}
	}
	line := report.Line{File: path, Mode: fmt.Sprintf("%04o", info.Mode().Perm())}
	if owner, known := info.Sys().(*syscall.Stat_t); known {
		line.UID, line.GID = owner.Uid, owner.Gid
	}
	content, err := os.ReadFile(path)
	if err != nil {
		line.Unreadable = true
		return line
	}
	line.SHA256 = report.Digest(content)
	return line
}
