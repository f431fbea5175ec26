// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/stage/gitserver"
)

// TestMain stands in for the program where git asks it for a login.
func TestMain(m *testing.M) {
	if os.Getenv(askVariable) != "" {
		answer(os.Stdout, os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// forge is a Git server of the stage's.
type forge struct {
	*httptest.Server
	ca string // the path of its certificates
}

func newForge(t *testing.T) *forge {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here")
	}
	logins := t.TempDir()
	for name, value := range map[string]string{"username": "reader", "password": "not-a-secret", "keeper": "not-a-secret-either"} {
		if err := os.WriteFile(filepath.Join(logins, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := gitserver.New(t.TempDir(), logins)
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{Server: httptest.NewTLSServer(handler), ca: filepath.Join(t.TempDir(), "ca.crt")}
	t.Cleanup(f.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	if err := os.WriteFile(f.ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// post asks for a commit, as that user and with that password.
func (f *forge) post(t *testing.T, user, password string, commit gitserver.Commit) (status int, answer string) {
	t.Helper()
	body, err := json.Marshal(commit)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/commits", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	response, err := f.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(said))
}

func (f *forge) commit(t *testing.T, branch, content string) (hash string) {
	t.Helper()
	status, answer := f.post(t, "keeper", "not-a-secret-either",
		gitserver.Commit{Repository: "team-a/code", Branch: branch, Files: map[string]string{"file": content, "deep/er": branch}})
	if status != http.StatusOK {
		t.Fatalf("committing: %d %s", status, answer)
	}
	return answer
}

// options are those of what Credence generates, with folders of the test's.
func (f *forge) options(t *testing.T, source v1alpha1.GitSource, login string) *options {
	t.Helper()
	source.Repository = f.URL + "/team-a/code.git"
	args, environ := generated(t, &source, password, map[string]string{"username": "reader", "password": login})
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if name == "GIT_SSL_CAINFO" {
			if value != "/ca/ca.crt" {
				t.Fatalf("the certificates are at %s", value)
			}
			value = f.ca
		}
		t.Setenv(name, value)
	}
	t.Setenv("HOME", t.TempDir())
	o, err := parse(args, environ)
	if err != nil {
		t.Fatal(err)
	}
	o.root, o.period = t.TempDir(), 20*time.Millisecond
	return o
}

// content is what a reader finds at the link.
func content(t *testing.T, o *options) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(o.root, "repo", "file"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFetchesOnce(t *testing.T) {
	f := newForge(t)
	first := f.commit(t, "main", "one")
	f.commit(t, "other", "two")
	f.commit(t, "main", "three")
	for name, test := range map[string]struct {
		source v1alpha1.GitSource
		want   string
	}{
		"default branch": {want: "three"},
		"branch":         {source: v1alpha1.GitSource{Branch: "other"}, want: "two"},
		"hash":           {source: v1alpha1.GitSource{Branch: "other", Revision: v1alpha1.GitName(first)}, want: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			o := f.options(t, test.source, "not-a-secret")
			if err := run(t.Context(), o, io.Discard); err != nil {
				t.Fatal(err)
			}
			if got := content(t, o); got != test.want {
				t.Errorf("the file has %q, want %q", got, test.want)
			}
			link, err := os.Readlink(filepath.Join(o.root, "repo"))
			if err != nil || !strings.HasPrefix(link, ".worktrees/") {
				t.Errorf("the link goes to %q: %v", link, err)
			}
		})
	}
}

// A wrong login is no data, and the password is in no message.
func TestRefused(t *testing.T) {
	f := newForge(t)
	f.commit(t, "main", "one")
	for name, login := range map[string]string{"login": "not-the-password", "none": ""} {
		t.Run(name, func(t *testing.T) {
			o := f.options(t, v1alpha1.GitSource{}, "not-the-password")
			if login == "" {
				o.username, o.password = "", ""
			}
			var log bytes.Buffer
			err := run(t.Context(), o, &log)
			if err == nil || !strings.Contains(err.Error(), "failed 5 times, giving up") {
				t.Fatalf("it ended with %v", err)
			}
			if strings.Contains(log.String()+err.Error(), "not-the-password") {
				t.Error("the password is in the log")
			}
			if _, err := os.Lstat(filepath.Join(o.root, "repo")); err == nil {
				t.Error("something is published")
			}
		})
	}
	for _, login := range []string{"not-a-secret", ""} {
		if status, _ := f.post(t, "reader", login, gitserver.Commit{Repository: "x", Branch: "main", Files: map[string]string{"a": "b"}}); status != http.StatusUnauthorized {
			t.Errorf("whoever reads could commit: %d", status)
		}
	}
}

// With a period, an update replaces the link, and the tree that was there goes. It
// goes on over failures, and ends when it is told to.
func TestFetchesAgain(t *testing.T) {
	f := newForge(t)
	first := f.commit(t, "main", "one")
	period := v1alpha1.Period("10s")
	o := f.options(t, v1alpha1.GitSource{Branch: "main", Period: &period}, "not-a-secret")
	o.period = 20 * time.Millisecond // of the test's; the generated one is in the other test
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o, io.Discard) }()
	reads := func(want string) func() bool {
		return func() bool { // between two trees it may find none
			text, err := os.ReadFile(filepath.Join(o.root, "repo", "file"))
			return err == nil && string(text) == want
		}
	}
	await(t, "the first tree", reads("one"))
	f.commit(t, "main", "two")
	await(t, "the second tree", reads("two"))
	await(t, "the end of the first", func() bool {
		_, err := os.Stat(filepath.Join(o.root, worktrees, first))
		return os.IsNotExist(err)
	})
	f.Close() // failures from here on
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer poll.Stop()
	for !done() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
