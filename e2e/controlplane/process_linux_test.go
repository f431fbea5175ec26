// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// alive says whether the process runs. One that has ended and that nobody has
// asked about yet (a zombie) does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// pid (name) state ...; the name may hold anything.
	_, rest, found := strings.Cut(string(stat), ") ")
	return found && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestProgramsDieWithTheirParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	dir := t.TempDir()
	parent.Env = append(os.Environ(), orphanVariable+"="+dir, "TMPDIR="+dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Process.Kill() }()
	var processes []controlplane.Process
	if err := json.NewDecoder(out).Decode(&processes); err != nil {
		t.Fatal(err)
	}
	if len(processes) != 2 {
		t.Errorf("%d processes run, want etcd and the API server", len(processes))
	}
	for _, p := range processes {
		if !alive(t, p.PID) {
			t.Errorf("%s (%d) does not run", p.Name, p.PID)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for _, p := range processes {
		eventually(t, p.Name+" has ended", func(context.Context) (bool, error) { return !alive(t, p.PID), nil })
	}
}

func TestProgramsListenOnLoopbackOnly(t *testing.T) {
	c := start(t, controlplane.Options{ControllerManager: true, Scheduler: true})
	listeners := listeningSockets(t)
	found := 0
	for _, p := range c.Processes() {
		folder := "/proc/" + strconv.Itoa(p.PID) + "/fd/"
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			target, err := os.Readlink(folder + file.Name())
			if err != nil {
				continue // closed in the meantime
			}
			address, listens := listeners[target]
			if !listens {
				continue
			}
			found++
			if host, _, _ := strings.Cut(address, ":"); host != "0100007F" {
				t.Errorf("%s listens on %s, want 127.0.0.1", p.Name, address)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d sockets listen, want those of etcd and the API server", found)
	}
}

// listeningSockets returns the addresses of all TCP sockets that listen, as the
// kernel writes them in proc(5), by their names in the folder of open files.
func listeningSockets(t *testing.T) map[string]string {
	t.Helper()
	const (
		address, state, inode = 1, 3, 9 // columns
		listen                = "0A"
	)
	sockets := map[string]string{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if fields := strings.Fields(line); len(fields) > inode && fields[state] == listen {
				sockets["socket:["+fields[inode]+"]"] = fields[address]
			}
		}
	}
	return sockets
}
