// SPDX-License-Identifier: Apache-2.0

// Command gitsync stands in for git-sync where its image cannot be had. It takes the
// flags and variables that Credence gives git-sync, and refuses all others; it lays
// out and publishes what it fetches as git-sync does; and it fetches with Debian's git.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// askVariable says that git has started this program to ask for a login.
const askVariable = "CREDENCE_STAGE_ASKS"

func main() {
	if os.Getenv(askVariable) != "" {
		answer(os.Stdout, os.Args[1:])
		return
	}
	options, err := parse(os.Args[1:], os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "git-sync stand-in:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err = run(ctx, options, os.Stderr)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "git-sync stand-in:", err)
		os.Exit(1)
	}
}

// answer tells git what it asks for: "Username for 'https://…': " or "Password for …".
func answer(out io.Writer, question []string) {
	variable := "GITSYNC_PASSWORD"
	if strings.HasPrefix(strings.Join(question, " "), "Username") {
		variable = "GITSYNC_USERNAME"
	}
	fmt.Fprintln(out, os.Getenv(variable))
}

// run fetches once, or again and again until the context ends.
func run(ctx context.Context, o *options, log io.Writer) error {
	s, err := newSync(o)
	if err != nil {
		return err
	}
	for failures := 0; ; {
		hash, err := s.once(ctx)
		switch {
		case err == nil && o.oneTime:
			return nil
		case err == nil && hash == o.ref: // it can never be another
			<-ctx.Done()
			return ctx.Err()
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			failures++
			if o.maxFailures >= 0 && failures >= o.maxFailures {
				return fmt.Errorf("failed %d times, giving up: %w", failures, err)
			}
			fmt.Fprintf(log, "git-sync stand-in: failed %d times, trying again: %v\n", failures, err)
		}
		wait := time.NewTimer(o.period)
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}
