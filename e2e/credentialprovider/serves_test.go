// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/util/parsers"

	"github.com/credence-dev/credence/credential"
)

// registries are keys of "auths": usual ones, and whatever else people write.
var registries = []string{
	"docker.io", "index.docker.io", "https://index.docker.io/v1/", "https://index.docker.io/v2/", "https://docker.io/v1/",
	"registry-1.docker.io", "docker.io/library", "docker.io/library/nginx", "index.docker.io/library", "http://index.docker.io",
	"index.docker.io:443", "INDEX.docker.io", "*.docker.io", "*.io",
	"ghcr.io", "https://ghcr.io", "https://ghcr.io/", "ghcr.io/acme", "ghcr.io/acme/", "ghcr.io/acme/web", "ghcr.io/v2/acme",
	"ghcr.io/v1/acme/web", "https://ghcr.io/v1", "https://ghcr.io/v1/", "https://ghcr.io/v2/", "ghcr.io/v3/", "ghcr.io/ac",
	"ghcr.io:443", "GHCR.io", "ghcr.io?a=b", "ghcr.io/#fragment", "user@ghcr.io", "HTTPS://ghcr.io", "ftp://ghcr.io",
	"registry.example.com", "*.example.com", "*.*.com", "*", "*.*", "**", "registry.*", "reg*.example.com", "r[e]gistry.example.com",
	"[a-z]egistry.example.com", "?egistry.example.com", "[", "registry.example.com/*", "*.example.com/team", "*.example.com:5000",
	"registry.example.com:5000", "registry.example.com:*", "registry.example.com:5000/team", "registry.example.com./team",
	"localhost", "localhost:5000", "localhost:5000/team", "127.0.0.1:5000", "*.0.0.1:5000", "[::1]:5000", "[2001:db8::1]", "::1",
	"registry", "registry:5000", "registry/team", "library", "nginx", "team/web",
	"123456789012.dkr.ecr.eu-west-1.amazonaws.com", "*.dkr.ecr.*.amazonaws.com", "europe-docker.pkg.dev/project/repository",
	"", "/", "//", ":", ".", "https://", "http://", "https:///v1/", " ghcr.io", "ghcr.io ", "%zz", "ghcr.io/%61cme", "ghcr.io//acme",
	"ghcr.io/acme/../other", "ghcr.io/Acme", "ghcr.io/a b", "ghcr.io\n", "gh%63r.io", "ghcr.io:port", "ghcr.io:", "münchen.example",
}

var images = []string{
	"nginx", "nginx:1.29", "library/nginx", "team/web", "docker.io/nginx", "docker.io/library/nginx", "docker.io/team/web:v1",
	"index.docker.io/team/web", "registry-1.docker.io/library/nginx", "docker.io:443/library/nginx",
	"nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"ghcr.io/acme/web", "ghcr.io/acme/web:v1", "ghcr.io/acme/website", "ghcr.io/acmecorp/web", "ghcr.io/web", "ghcr.io:443/acme/web",
	"ghcr.io/v2/acme/web", "ghcr.io/v1/acme/web", "GHCR.io/acme/web", "ghcr.io/acme",
	"ghcr.io/acme/web:v1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"registry.example.com/team/web", "registry.example.com/web", "registry.example.com:5000/team/web", "other.example.com/team/web",
	"a.b.example.com/web", "example.com/web", "registry.example.org/web", "registry.example.com./team/web",
	"localhost/web", "localhost:5000/team/web", "127.0.0.1:5000/web", "10.0.0.1:5000/web", "[::1]:5000/web", "[2001:db8::1]/web",
	"registry/web", "registry:5000/web", "registry/team/web", "REGISTRY/web", "x:5000/web",
	"123456789012.dkr.ecr.eu-west-1.amazonaws.com/web", "europe-docker.pkg.dev/project/repository/web",
	"", "UPPER", "ghcr.io/Acme/web", "ghcr.io/", "ghcr.io//web", "web:", "a:b:c", "ghcr.io/acme/web@sha256:short", " nginx",
	strings.Repeat("a", 64),
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}

// dockerConfig is a config whose logins are known by the registry they are for.
func dockerConfig(t testing.TB, registries ...string) []byte {
	t.Helper()
	auths := map[string]any{}
	for _, registry := range registries {
		auths[registry] = map[string]string{"username": registry, "password": "none"}
	}
	config, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// kubelet says whether the kubelet would try a login of the config for the image.
func kubelet(t testing.TB, config []byte, image string) bool {
	t.Helper()
	var parsed credentialprovider.DockerConfigJSON
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	repository, _, _, err := parsers.ParseImageName(image)
	if err != nil {
		return false
	}
	keyring := &credentialprovider.BasicDockerKeyring{}
	keyring.Add(nil, parsed.Auths)
	_, found := keyring.Lookup(repository)
	return found
}

// credence says the same, as Credence sees it.
func credence(config []byte, image string) bool {
	patterns, err := credential.Registries(config)
	if err != nil {
		return false // it holds no registry that an image could come from
	}
	parsed, ok := credential.ParseImage(image)
	return ok && slices.ContainsFunc(patterns, func(pattern string) bool {
		return credential.ParsePattern(pattern).Serves(parsed)
	})
}

func TestCredenceAgreesWithTheKubelet(t *testing.T) {
	served := 0
	for _, registry := range registries {
		config := dockerConfig(t, registry)
		for _, image := range images {
			want := kubelet(t, config, image)
			if got := credence(config, image); got != want {
				t.Errorf("a login for %q, the image %q: Credence says %t, the kubelet %t", registry, image, got, want)
			}
			if want {
				served++
			}
		}
	}
	if served == 0 {
		t.Error("no login serves any image: the test shows nothing")
	}
}

// Some facts that the table rests on, so that a change of the kubelet's rules is
// seen as such.
func TestTheKubeletsRules(t *testing.T) {
	for name, test := range map[string]struct {
		registry, image string
		want            bool
	}{
		"a registry":                        {"ghcr.io", "ghcr.io/acme/web:v1", true},
		"a path is a prefix of characters":  {"ghcr.io/ac", "ghcr.io/acme/web", true},
		"another path":                      {"ghcr.io/other", "ghcr.io/acme/web", false},
		"Docker Hub's old address":          {"https://index.docker.io/v1/", "nginx", true},
		"Docker Hub by its new name":        {"docker.io", "nginx", true},
		"a glob is one label of the host":   {"*.example.com", "a.b.example.com/web", false},
		"a glob":                            {"*.example.com", "registry.example.com/web", true},
		"a port must be the same":           {"registry.example.com", "registry.example.com:5000/web", false},
		"a glob does not match a port":      {"registry.example.com:*", "registry.example.com:5000/web", false},
		"the case of a host is significant": {"GHCR.io", "ghcr.io/acme/web", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kubelet(t, dockerConfig(t, test.registry), test.image); got != test.want {
				t.Errorf("the kubelet says %t, want %t", got, test.want)
			}
		})
	}
}

// The order in which the kubelet tries several logins is that of the patterns.
func TestMostSpecificFirst(t *testing.T) {
	config := dockerConfig(t, "ghcr.io", "ghcr.io/acme", "*.io", "ghcr.io/acme/web", "ghcr.io/other", "docker.io")
	const image = "ghcr.io/acme/web"
	var parsed credentialprovider.DockerConfigJSON
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	keyring := &credentialprovider.BasicDockerKeyring{}
	keyring.Add(nil, parsed.Auths)
	logins, _ := keyring.Lookup(image)
	var want []string
	for _, login := range logins {
		want = append(want, login.Username)
	}

	patterns, err := credential.Registries(config)
	if err != nil {
		t.Fatal(err)
	}
	name, ok := credential.ParseImage(image)
	if !ok {
		t.Fatal("the image has no name")
	}
	got := slices.DeleteFunc(patterns, func(pattern string) bool { return !credential.ParsePattern(pattern).Serves(name) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-kubelet +Credence):\n%s", diff)
	}
}

func FuzzCredenceAgreesWithTheKubelet(f *testing.F) {
	for i, registry := range registries {
		f.Add(registry, images[i%len(images)])
	}
	f.Fuzz(func(t *testing.T, registry, image string) {
		config := dockerConfig(t, registry)
		want := kubelet(t, config, image)
		if got := credence(config, image); got != want {
			t.Errorf("a login for %q, the image %q: Credence says %t, the kubelet %t", registry, image, got, want)
		}
	})
}
