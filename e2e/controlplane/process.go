// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	pollInterval = 50 * time.Millisecond
	tryTimeout   = 5 * time.Second
)

// errAddressInUse says that a child ended because somebody else listens on the
// port it was given.
var errAddressInUse = errors.New("address already in use")

// process is one child.
type process struct {
	name string
	log  string // the path of its log
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read it after done
}

// launch starts program as a child that dies with this process. What it says is
// appended to the file log.
func launch(name, program, log string, args []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer out.Close()
	p := &process{name: name, log: log, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = childEnvironment()
	if err := startBound(p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// childEnvironment leaves out what would change the programs' behaviour: etcd
// reads ETCD_*, the API server sends webhook calls through HTTPS_PROXY.
func childEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// await polls ready until it returns no error, the child ends or ctx does.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := p.try(ctx, ready)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %w; the end of its log %s:\n%s",
				p.name, context.Cause(ctx), err, p.log, p.logTail())
		case <-tick.C:
		}
	}
}

// try calls ready once, for as long as the child runs but not for long: whoever
// else has taken the child's port may accept connections and never answer.
func (p *process) try(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ready(ctx)
}

// ended describes the end of a child that should be running.
func (p *process) ended() error {
	tail := p.logTail()
	state := "exit status 0"
	if p.err != nil {
		state = p.err.Error()
	}
	err := fmt.Errorf("%s ended: %s; the end of its log %s:\n%s", p.name, state, p.log, tail)
	if strings.Contains(tail, errAddressInUse.Error()) {
		return fmt.Errorf("%w: %w", errAddressInUse, err)
	}
	return err
}

// stop ends the child, with force if grace was not enough. A child that does not
// run, or nil, is fine.
func (p *process) stop(grace time.Duration) {
	if p == nil {
		return
	}
	// Signal and Kill fail only if the child has ended.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// running says whether the child has not ended yet.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// logTail returns the last lines of the log, or the first ones of a panic in it.
func (p *process) logTail() string {
	const lines, size = 12, 32 << 10
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(content) > size {
		content = content[len(content)-size:]
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	for i, line := range all {
		if strings.HasPrefix(line, "panic:") {
			return strings.Join(all[i:min(len(all), i+lines)], "\n")
		}
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
