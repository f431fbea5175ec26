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
			if o.givesUp(failures) {
				return fmt.Errorf("failed %d times, giving up: %w", failures, err)
			}
			fmt.Fprintf(log, "git-sync stand-in: failed %d times, trying again: %v\n", failures, err)
		}
		if err := pause(ctx, o.period); err != nil {
			return err
		}
	}
}

// givesUp says whether it failed too often in a row.
func (o *options) givesUp(failures int) bool { return o.maxFailures >= 0 && failures >= o.maxFailures }

// pause waits until it is time to look again, or the context ends.
func pause(ctx context.Context, period time.Duration) error {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
