// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"

	"github.com/credence-dev/credence/credential"
)

// configs are contents of a pull secret. The kubelet refuses one that it cannot
// read and with it every pull of the pod, also of images that need no login: so
// Credence must not call such a source valid.
var configs = []string{
	`{"auths": {"ghcr.io": {}}}`,
	`{"auths": {"ghcr.io": null}}`,
	`{"auths": {"ghcr.io": {"username": "someone", "password": "not-a-secret", "email": "a@example.com"}}}`,
	`{"auths": {"ghcr.io": {"auth": ""}}}`,
	`{"auths": {"ghcr.io": {"auth": "YWE6Yg=="}}}`,
	`{"auths": {"ghcr.io": {"auth": "YWE6Yg"}}}`,
	`{"auths": {"ghcr.io": {"auth": "YWE6\nYg==\n"}}}`,
	`{"auths": {"ghcr.io": {"auth": " YWE6Yg=="}}}`,
	`{"auths": {"ghcr.io": {"auth": "YWFi"}}}`,
	`{"auths": {"ghcr.io": {"auth": "?"}}}`,
	`{"auths": {"ghcr.io": {"auth": "YWE6Yg=="}, "docker.io": {"auth": "?"}}}`,
	`{"auths": {"ghcr.io": {"auth": 7}}}`,
	`{"auths": {"ghcr.io": {"password": {}}}}`,
	`{"auths": {"ghcr.io": {"email": false}}}`,
	`{"auths": {"ghcr.io": "not-a-secret"}}`,
	`{"auths": {"ghcr.io": []}}`,
	`{"auths": {"ghcr.io": {"identitytoken": "not-a-secret"}}, "credsStore": "desktop", "credHelpers": {"a": "b"}}`,
	`{"auths": {"ghcr.io": {}}, "HttpHeaders": {"a": "b"}}`,
	`{"auths": {"ghcr.io": {}}, "HttpHeaders": {"a": 7}}`,
	`{"auths": {"ghcr.io": {}}, "HttpHeaders": []}`,
	`{"auths": {"ghcr.io": {}}, "auths": {"index.docker.io": {}}}`,
	`{"Auths": {"ghcr.io": {"AUTH": "YWE6Yg=="}}}`,
	`{"auths": {"https://index.docker.io/v1/": {}, "ghcr.io/acme": {}, "*.example.com": {}}}`,
	`{"auths": {}}`, `{"auths": null}`, `{"auths": []}`, `{"ghcr.io": {}}`, `{}`, `null`, `[]`, `7`, `"x"`, `{"auths": {"ghcr.io": {}`, `{"auths": {"ghcr.io": {}}} x`,
}

// pull is the kubelet on the way to an image, with one pull secret: whether it
// reads the secret, and whether it has a login to try. See
// makeLookupPullCredentialsFunc of k8s.io/kubernetes/pkg/kubelet/images.
func pull(t testing.TB, config []byte, image string) (hasLogin bool, err error) {
	t.Helper()
	repository, _, _, err := parsers.ParseImageName(image)
	if err != nil {
		t.Fatal(err)
	}
	secret := corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "login"},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: config},
	}
	keyring, err := secrets.MakeDockerKeyring([]corev1.Secret{secret}, credentialprovider.UnionDockerKeyring{})
	if err != nil {
		return false, err
	}
	_, hasLogin = keyring.Lookup(repository)
	return hasLogin, nil
}

// agree holds that a config which Credence calls valid is one that the kubelet
// reads and that both see the same logins in it, and that the kubelet has no
// login of one which Credence refuses.
func agree(t *testing.T, config []byte) {
	t.Helper()
	_, refused := credential.Registries(config)
	if refused != nil && strings.Contains(refused.Error(), "at most") {
		return // a bound of Credence's own
	}
	for _, image := range images {
		if _, ok := credential.ParseImage(image); !ok {
			continue
		}
		has, err := pull(t, config, image)
		if err != nil && refused == nil {
			t.Fatalf("config %s is valid to Credence, and the kubelet refuses it: %v", config, err)
		}
		if got := credence(config, image); got != has {
			t.Errorf("config %s, image %q: Credence says %t, the kubelet %t", config, image, got, has)
		}
	}
}

func TestCredenceReadsWhatTheKubeletReads(t *testing.T) {
	valid := 0
	for _, config := range configs {
		agree(t, []byte(config))
		if _, err := credential.Registries([]byte(config)); err == nil {
			valid++
		}
	}
	if valid < 10 || valid == len(configs) {
		t.Errorf("%d of %d configs are valid: the test shows nothing", valid, len(configs))
	}
}

func FuzzCredenceReadsWhatTheKubeletReads(f *testing.F) {
	for _, config := range configs {
		f.Add([]byte(config))
	}
	f.Fuzz(agree)
}
