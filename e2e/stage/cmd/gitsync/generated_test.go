// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/fetch"
)

func credentialOf(t v1alpha1.CredentialType, keys ...v1alpha1.SecretKey) *catalog.Entry {
	return catalog.NewEntry(&v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: t, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1, Keys: keys},
	})
}

var (
	password = credentialOf(v1alpha1.Password, v1alpha1.SecretKey{Key: "username", Role: "username"},
		v1alpha1.SecretKey{Key: "password", Role: "password"}, v1alpha1.SecretKey{Key: "ca.crt"})
	sshKey = credentialOf(v1alpha1.SSHKey, v1alpha1.SecretKey{Key: "key", Role: "privateKey"}, v1alpha1.SecretKey{Key: "known_hosts", Role: "knownHosts"})
)

// generated are the arguments and variables that Credence gives git-sync, as the
// kubelet passes them on. Of a Secret they have what secret says.
func generated(t *testing.T, source *v1alpha1.GitSource, entry *catalog.Entry, secret map[string]string) (args, environ []string) {
	t.Helper()
	settings := fetch.Default()
	container, problem := settings.Git(source, entry, 0o444)
	if problem != "" {
		t.Fatal(problem)
	}
	if len(container.Command) != 0 {
		t.Fatalf("the image's entrypoint is not used: %q", container.Command)
	}
	none := func(string) string { return "" }
	for _, arg := range container.Args {
		args = append(args, expansion.Expand(arg, none))
	}
	for _, variable := range container.Env {
		value := expansion.Expand(string(variable.Value), none)
		if variable.ValueFrom != nil {
			value = secret[variable.ValueFrom.SecretKeyRef.Key]
		}
		environ = append(environ, variable.Name+"="+value)
	}
	return args, environ
}

// Whatever Credence generates is taken, and understood as it was meant.
func TestTakesWhatCredenceGenerates(t *testing.T) {
	period := v1alpha1.Period("1h30m")
	secret := map[string]string{"username": "reader", "password": "not-a-secret"}
	for name, test := range map[string]struct {
		source v1alpha1.GitSource
		entry  *catalog.Entry
		change func(*options)
	}{
		"public": {
			source: v1alpha1.GitSource{Repository: "https://git.example.com/a"},
			change: func(o *options) { o.repo = "https://git.example.com/a" },
		},
		"what the kubelet would expand": {
			source: v1alpha1.GitSource{Repository: "https://git.example.com/$(HOME)/$$a", Branch: "$(X)"},
			change: func(o *options) { o.repo, o.ref = "https://git.example.com/$(HOME)/$$a", "$(X)" },
		},
		"password, again and again": {
			source: v1alpha1.GitSource{Repository: "https://git.example.com/a", Branch: "main", Period: &period}, entry: password,
			change: func(o *options) {
				o.repo, o.ref, o.username, o.password = "https://git.example.com/a", "main", "reader", "not-a-secret"
				o.oneTime, o.maxFailures, o.period = false, -1, 90*time.Minute
			},
		},
		"key": {
			source: v1alpha1.GitSource{Repository: "git@git.example.com:a", Revision: "v1", Branch: "main"}, entry: sshKey,
			change: func(o *options) {
				o.repo, o.ref = "git@git.example.com:a", "v1"
				o.sshKeyFile, o.sshKnownHostsFile = "/credential/private-key", "/credential/known-hosts"
			},
		},
		"host not checked": {
			source: v1alpha1.GitSource{Repository: "ssh://git.example.com/a", SkipHostKeyCheck: true},
			change: func(o *options) { o.repo, o.sshKnownHosts = "ssh://git.example.com/a", false },
		},
	} {
		t.Run(name, func(t *testing.T) {
			args, environ := generated(t, &test.source, test.entry, secret)
			got, err := parse(args, environ)
			if err != nil {
				t.Fatal(err)
			}
			want := &options{
				root: "/data", link: "repo", ref: "HEAD", depth: 1, syncTimeout: 30 * time.Minute, period: 10 * time.Second,
				oneTime: true, maxFailures: 5, sshKnownHosts: true,
			}
			test.change(want)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What Credence does not generate is refused, so that a flag that is new there is
// looked at here, too.
func TestRefusesTheRest(t *testing.T) {
	good := []string{"--repo=https://git.example.com/a", "--root=/data", "--link=repo"}
	for name, test := range map[string]struct {
		args, environ []string
		want          string // empty: taken
	}{
		"good":              {},
		"another flag":      {args: []string{"--submodules=off"}, want: `"submodules"`},
		"one dash":          {args: []string{"-depth=1"}, want: `"-depth"`},
		"no flag":           {args: []string{"repo"}, want: `"repo"`},
		"value apart":       {args: []string{"--ref", "main"}, want: "--ref=VALUE"},
		"twice":             {args: []string{"--depth=1", "--depth=2"}, want: "--depth is given twice"},
		"no number":         {args: []string{"--depth=x"}, want: "--depth"},
		"no duration":       {args: []string{"--period=soon"}, want: "--period"},
		"no answer":         {args: []string{"--one-time=perhaps"}, want: "--one-time"},
		"empty":             {args: []string{"--ref="}, want: "--ref"},
		"another variable":  {environ: []string{"GITSYNC_SUBMODULES=off"}, want: "GITSYNC_SUBMODULES"},
		"an old variable":   {environ: []string{"GIT_SYNC_REPO=x"}, want: "GIT_SYNC_REPO"},
		"half of a login":   {environ: []string{"GITSYNC_PASSWORD=not-a-secret"}, want: "go together"},
		"variables of git":  {environ: []string{"GIT_SSL_CAINFO=/ca/ca.crt", "HOME=/tmp"}},
		"variables of ours": {environ: []string{"GITSYNC_USERNAME=a", "GITSYNC_PASSWORD=not-a-secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(append(good, test.args...), test.environ)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "not-a-secret") {
				t.Errorf("the error has the value of a variable: %v", err)
			}
		})
	}
}
