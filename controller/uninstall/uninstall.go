// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Copies says what becomes of the copies.
type Copies string

// What may become of them.
const (
	// KeepCopies leaves them as they are: another installation has them again.
	KeepCopies Copies = "keep"
	// ReleaseCopies makes them ordinary Secrets, without our marks.
	ReleaseCopies Copies = "release"
	// DeleteCopies deletes them, used or not, and the certificates in projects.
	DeleteCopies Copies = "delete"
)

// Options say what to take off which cluster.
type Options struct {
	Client client.Client
	// InstallNamespace is where the processes run, and Lease the name of the one there
	// by which the controllers agree on a leader.
	InstallNamespace, Lease string
	Copies                  Copies
	// Timeout bounds all of it, and Interval lies between two passes.
	Timeout, Interval time.Duration
	Clock             clock.PassiveClock
	// Out is told what is done, line by line.
	Out io.Writer
}

// run is one uninstallation. It makes one pass after the other, each the same, until
// one finds nothing to do: so it can be repeated, and go on after an interruption.
type run struct {
	Options
	// acted says that this pass changed something.
	acted bool
	// told are the complaints of the pass before.
	told  []string
	lease lease
	lost  map[string]bool // pods that were told of
}

// Run uninstalls. The error names what is left.
func Run(ctx context.Context, options Options) error {
	r := &run{Options: options, lost: map[string]bool{}}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if err := r.checkNamespace(ctx); err != nil {
		return err
	}
	var left []string
	for {
		r.acted = false
		now := r.pass(ctx)
		if ctx.Err() == nil || left == nil {
			left = now // what is cut short only knows that it was
		}
		if len(now) == 0 && !r.acted && ctx.Err() == nil {
			r.say("%s", r.farewell())
			return nil
		}
		if ctx.Err() == nil {
			r.complain(now)
		}
		select {
		case <-ctx.Done():
			if len(left) == 0 {
				return errors.New("the time was over before it was certain that nothing is left; run it again")
			}
			return fmt.Errorf("this is left, run it again when it is mended:\n  %s", strings.Join(left, "\n  "))
		case <-time.After(r.Interval):
		}
	}
}

// pass does all that there is to do and returns what is left.
func (r *run) pass(ctx context.Context) (left []string) {
	left = r.stopRefusing(ctx)
	if running := r.stopProcesses(ctx); len(running) > 0 {
		return append(left, running...) // who would put back what is taken away
	}
	left = append(left, r.removeFinalizers(ctx)...)
	return append(left, r.disposeOfCopies(ctx)...)
}

// say tells what was done.
func (r *run) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.Out, format+"\n", arguments...)
}

// do tells what was done, and that another pass has to see whether it lasts.
func (r *run) do(format string, arguments ...any) {
	r.acted = true
	r.say(format, arguments...)
}

// complain tells what is left, once.
func (r *run) complain(left []string) {
	for _, one := range left {
		if !slices.Contains(r.told, one) {
			r.say("Waiting: %s", one)
		}
	}
	r.told = left
}

func (r *run) farewell() string {
	const done = "Nothing of Credence refuses, runs or holds anything any more. Credentials and their sources stay"
	switch r.Copies {
	case ReleaseCopies:
		return done + "; the copies are ordinary Secrets."
	case DeleteCopies:
		return done + "; the copies are deleted."
	}
	return done + ", and so do the copies."
}
