// SPDX-License-Identifier: Apache-2.0

package fetch_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/pod"
)

func entry(t v1alpha1.CredentialType, keys ...v1alpha1.SecretKey) *catalog.Entry {
	return catalog.NewEntry(&v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: t, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1, Keys: keys},
	})
}

var (
	password = entry(v1alpha1.Password, v1alpha1.SecretKey{Key: "User", Role: "username"}, v1alpha1.SecretKey{Key: "Password", Role: "password"})
	sshKey   = entry(v1alpha1.SSHKey, v1alpha1.SecretKey{Key: "ssh", Role: "privateKey"})
	access   = entry(v1alpha1.AccessKey, v1alpha1.SecretKey{Key: "ID", Role: "accessKeyId"}, v1alpha1.SecretKey{Key: "SECRET", Role: "secretAccessKey"})
)

// What is wrong with a data source is said in one sentence, also where no schema has
// seen it.
func TestProblems(t *testing.T) {
	settings := fetch.Default()
	period := v1alpha1.Period("soon")
	for name, test := range map[string]struct {
		git   *v1alpha1.GitSource
		s3    *v1alpha1.S3Source
		entry *catalog.Entry
		want  string // empty: none
	}{
		"public":             {git: &v1alpha1.GitSource{Repository: "https://git.example.com/a"}},
		"password":           {git: &v1alpha1.GitSource{Repository: "https://git.example.com/a"}, entry: password},
		"https with a key":   {git: &v1alpha1.GitSource{Repository: "https://git.example.com/a"}, entry: sshKey, want: "type password"},
		"ssh with a word":    {git: &v1alpha1.GitSource{Repository: "ssh://git.example.com/a"}, entry: password, want: "type ssh-key"},
		"host not known":     {git: &v1alpha1.GitSource{Repository: "git@git.example.com:a"}, entry: sshKey, want: "known_hosts"},
		"nothing known":      {git: &v1alpha1.GitSource{Repository: "git@git.example.com:a"}, want: "known_hosts"},
		"host not checked":   {git: &v1alpha1.GitSource{Repository: "git@git.example.com:a", SkipHostKeyCheck: true}},
		"bucket":             {s3: &v1alpha1.S3Source{Bucket: "a"}, entry: access},
		"bucket with a word": {s3: &v1alpha1.S3Source{Bucket: "a"}, entry: password, want: "type access-key"},
		"period":             {s3: &v1alpha1.S3Source{Bucket: "a", Period: &period}, want: "90s"},
	} {
		t.Run(name, func(t *testing.T) {
			var problem string
			if test.git != nil {
				_, problem = settings.Git(test.git, test.entry, 0o444)
			} else {
				_, problem = settings.S3(test.s3, test.entry, 0o444)
			}
			if (problem == "") != (test.want == "") || !strings.Contains(problem, test.want) {
				t.Errorf("got %q, want %q", problem, test.want)
			}
		})
	}
}

// Whatever people write, it is one argument with its own option before it, or behind
// the name of the remote; no shell reads it; and the kubelet, which expands "$(NAME)"
// and makes "$" of "$$", gives the program just what was written.
func TestNothingIsInterpreted(t *testing.T) {
	settings := fetch.Default()
	period := v1alpha1.Period("90s")
	for _, odd := range []string{"-x", "--help", "$(GITSYNC_PASSWORD)", "$$(A)", "$", "a b", "`id`", "$(id)", "';id;'", `"`, "a\nb", "%s"} {
		git, _ := settings.Git(&v1alpha1.GitSource{
			Repository: "https://" + odd, Revision: v1alpha1.GitName(odd), Period: &period,
		}, password, 0o444)
		s3, _ := settings.S3(&v1alpha1.S3Source{Bucket: "b", Prefix: odd, Region: odd, Endpoint: odd, Period: &period}, access, 0o444)
		expanded := func(list []string) []string {
			out := make([]string, len(list))
			for i := range list {
				out[i] = expand(list[i])
			}
			return out
		}
		if args := expanded(git.Args); !slices.Contains(args, "--repo=https://"+odd) || !slices.Contains(args, "--ref="+odd) {
			t.Errorf("%q: git-sync gets %q", odd, args)
		}
		if args := expanded(s3.Args); !slices.Contains(args, "source:b/"+odd) {
			t.Errorf("%q: rclone gets %q", odd, args)
		}
		for _, command := range [][]string{git.Command, s3.Command, git.StartupProbe.Exec.Command, s3.StartupProbe.Exec.Command} {
			if strings.Contains(strings.Join(command, " "), odd) && len(odd) > 1 {
				t.Errorf("%q: is in the command %q", odd, command)
			}
		}
		values := map[string]string{}
		for _, variable := range s3.Env {
			values[variable.Name] = expand(string(variable.Value))
		}
		if values["RCLONE_CONFIG_SOURCE_REGION"] != odd || values["RCLONE_CONFIG_SOURCE_ENDPOINT"] != odd {
			t.Errorf("%q: rclone gets %q", odd, values)
		}
	}
}

// expand does what the kubelet does, but with "EXPANDED" for every variable.
func expand(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		end := strings.IndexByte(text[i:], ')')
		switch {
		case strings.HasPrefix(text[i:], "$$"):
			out.WriteByte('$')
			i++
		case strings.HasPrefix(text[i:], "$(") && end > 0:
			out.WriteString("EXPANDED")
			i += end
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// The commands that are ours are not changed by the kubelet either.
func TestCommandsAreNotExpanded(t *testing.T) {
	settings := fetch.Default()
	period := v1alpha1.Period("1h30m")
	container, problem := settings.S3(&v1alpha1.S3Source{Bucket: "b", Period: &period}, nil, 0o444)
	if problem != "" {
		t.Fatal(problem)
	}
	for _, word := range container.Command {
		if expand(word) != word {
			t.Errorf("%q becomes %q", word, expand(word))
		}
	}
	if at := slices.IndexFunc(container.Env, func(v pod.EnvVar) bool { return v.Name == "PERIOD" }); at < 0 || container.Env[at].Value != "5400" {
		t.Errorf("variables %+v", container.Env)
	}
}

// Certificates are those of the credential, else those of the cluster.
func TestCertificates(t *testing.T) {
	withCA := entry(v1alpha1.Password, v1alpha1.SecretKey{Key: "ca.crt"},
		v1alpha1.SecretKey{Key: "username", Role: "username"}, v1alpha1.SecretKey{Key: "password", Role: "password"})
	for name, test := range map[string]struct {
		configMap string
		entry     *catalog.Entry
		want      string
	}{
		"none":              {entry: password},
		"of the credential": {entry: withCA, want: "secret"},
		"of the cluster":    {entry: password, configMap: "trust", want: "configMap trust"},
		"public":            {configMap: "trust", want: "configMap trust"},
		"of both":           {entry: withCA, configMap: "trust", want: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := fetch.Default()
			settings.CAConfigMap = test.configMap
			container, problem := settings.Git(&v1alpha1.GitSource{Repository: "https://git.example.com/a"}, test.entry, 0o444)
			if problem != "" {
				t.Fatal(problem)
			}
			got := ""
			for _, mount := range container.Mounts {
				switch {
				case mount.Path != "/ca":
				case mount.Volume.Secret != nil:
					got = "secret"
				default:
					got = "configMap " + mount.Volume.ConfigMap.Name
				}
			}
			named := slices.ContainsFunc(container.Env, func(v pod.EnvVar) bool { return v.Name == "GIT_SSL_CAINFO" && v.Value == "/ca/ca.crt" })
			if got != test.want || named != (test.want != "") {
				t.Errorf("got %q, want %q; named: %t", got, test.want, named)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*fetch.Settings)
		want   string // empty: valid
	}{
		"default":         {change: func(*fetch.Settings) {}},
		"no resources":    {change: func(s *fetch.Settings) { s.Requests, s.Limits = nil, map[string]string{} }},
		"no image":        {change: func(s *fetch.Settings) { s.GitImage = "" }, want: "image"},
		"malformed image": {change: func(s *fetch.Settings) { s.S3Image = "not an image" }, want: "image"},
		"no size":         {change: func(s *fetch.Settings) { s.SizeLimit = "" }, want: "size limit"},
		"size of nothing": {change: func(s *fetch.Settings) { s.SizeLimit = "0" }, want: "size limit"},
		"odd quantity":    {change: func(s *fetch.Settings) { s.Limits["memory"] = "much" }, want: "memory=much"},
		"odd ConfigMap":   {change: func(s *fetch.Settings) { s.CAConfigMap = "A/b" }, want: "ConfigMap"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := fetch.Default()
			test.change(&settings)
			err := settings.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
