// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	_ "crypto/sha256" // the image parser refuses digests whose hash is not linked in
	_ "crypto/sha512" // the same for sha384 and sha512
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// dockerHub is the registry that the kubelet falls back to for images that name
// none, in the one spelling that it falls back to.
const dockerHub = "index.docker.io"

// servable is the shape of a pattern that can serve an image: the host may hold
// globs, and every part of the path must be able to begin an image's path, which
// distribution/reference restricts so. Everything else serves none, and might
// hold more than a registry: of "HTTPS://user:password@host", whose scheme the
// kubelet does not know, it makes the host "HTTPS:" with the rest as path.
var servable = regexp.MustCompile(`^[-A-Za-z0-9.:*\[\]]+(/[-a-z0-9._]+)*/?$`)

// maxPattern bounds a pattern as the API does. No host with the longest path of
// an image comes near.
const maxPattern = 512

// dockerConfig is what the kubelet reads of a docker config. It refuses the
// whole config, and with it every pull of the pod, if one part has another shape.
type dockerConfig struct {
	Auths       map[string]dockerLogin `json:"auths"`
	HTTPHeaders map[string]string      `json:"HttpHeaders"`
}

type dockerLogin struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Email    string `json:"email"`
	Auth     string `json:"auth"`
}

// readable says whether the kubelet can take "auth" apart. See
// decodeDockerConfigFieldAuth of k8s.io/kubernetes/pkg/credentialprovider.
func (l *dockerLogin) readable() bool {
	if l.Auth == "" {
		return true
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(strings.TrimSpace(l.Auth), "=") {
		encoding = base64.StdEncoding
	}
	login, err := encoding.DecodeString(l.Auth)
	return err == nil && bytes.Contains(login, []byte(":"))
}

// Registries returns the patterns of the images that a docker config serves, as
// the kubelet's keyring indexes them: without scheme and /v1 or /v2, most
// specific first. Entries that serve no image are left out; a config that the
// kubelet refuses is an error. An error never holds any of the content.
func Registries(dockerConfigJSON []byte) ([]string, error) {
	var config dockerConfig
	if err := json.Unmarshal(dockerConfigJSON, &config); err != nil {
		return nil, errors.New("is not the JSON of a docker config")
	}
	if config.Auths == nil {
		return nil, errors.New(`has no "auths"`)
	}
	patterns := make([]string, 0, len(config.Auths))
	for registry, login := range config.Auths {
		if !login.readable() {
			return nil, errors.New(`has an "auth" that is not the base64 of <user>:<password>; make the Secret again with kubectl create secret docker-registry`)
		}
		if pattern, ok := registryPattern(registry); ok {
			patterns = append(patterns, pattern)
		}
	}
	if len(patterns) == 0 {
		return nil, errors.New(`has no registry in "auths" that an image could come from; add one with its login`)
	}
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	slices.Reverse(patterns)
	if len(patterns) > v1alpha1.MaxStatusRegistries {
		return nil, fmt.Errorf("has %d registries, and at most %d are supported", len(patterns), v1alpha1.MaxStatusRegistries)
	}
	return patterns, nil
}

// registryPattern normalizes one key of "auths" as BasicDockerKeyring.Add of
// k8s.io/kubernetes/pkg/credentialprovider does. It says false for one that
// serves no image.
func registryPattern(registry string) (string, bool) {
	if !strings.HasPrefix(registry, "https://") && !strings.HasPrefix(registry, "http://") {
		registry = "https://" + registry
	}
	parsed, err := url.Parse(registry)
	if err != nil {
		return "", false
	}
	repository := parsed.Path
	if strings.HasPrefix(repository, "/v2/") || strings.HasPrefix(repository, "/v1/") {
		repository = repository[len("/v2"):]
	}
	if repository == "/" {
		repository = ""
	}
	pattern := parsed.Host + repository
	if parsed.Hostname() == "" || len(pattern) > maxPattern || !servable.MatchString(pattern) {
		return "", false
	}
	return pattern, true
}

// Pattern is a registry pattern made ready for matching.
type Pattern struct {
	text   string
	labels []string // of the host, each possibly a glob
	port   string
	path   string
}

// ParsePattern makes a pattern of one that Registries returned. One that the
// kubelet cannot parse matches nothing, there as here.
func ParsePattern(text string) Pattern {
	host, port, repository, ok := splitRepository(text)
	if !ok {
		return Pattern{text: text}
	}
	return Pattern{text: text, labels: strings.Split(host, "."), port: port, path: repository}
}

// String returns the pattern as it was parsed.
func (p Pattern) String() string { return p.text }

// Image is the name of an image made ready for matching.
type Image struct {
	labels []string
	port   string
	path   string
}

// ParseImage reads an image reference as the kubelet does: normalized, so that
// "nginx" is docker.io/library/nginx, and without tag and digest. It says false
// for a reference that no kubelet would pull.
func ParseImage(ref string) (Image, bool) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return Image{}, false
	}
	host, port, repository, ok := splitRepository(named.Name())
	if !ok {
		return Image{}, false
	}
	return Image{labels: strings.Split(host, "."), port: port, path: repository}, true
}

// Serves says whether the kubelet would try a login with this pattern for the
// image. The rules are those of BasicDockerKeyring.Lookup of
// k8s.io/kubernetes/pkg/credentialprovider; a test in e2e holds the two together.
func (p Pattern) Serves(image Image) bool {
	if p.matches(image) {
		return true
	}
	return p.text == dockerHub && image.fromDockerHub()
}

func (p Pattern) matches(image Image) bool {
	if len(p.labels) == 0 || p.port != image.port || len(p.labels) != len(image.labels) {
		return false
	}
	if !strings.HasPrefix(image.path, p.path) {
		return false
	}
	for i, glob := range p.labels {
		// path.Match and the kubelet's filepath.Match agree on Linux, and a label
		// holds no separator.
		if matched, err := path.Match(glob, image.labels[i]); err != nil || !matched {
			return false
		}
	}
	return true
}

// fromDockerHub is the kubelet's isDefaultRegistryMatch for a normalized name,
// which always has a registry: that registry is Docker Hub, or a bare word that
// only looks like one to the image parser.
func (i Image) fromDockerHub() bool {
	if len(i.labels) == 1 {
		return i.port == "" && !strings.Contains(i.labels[0], ":")
	}
	host := strings.Join(i.labels, ".")
	return i.port == "" && (host == "docker.io" || host == dockerHub)
}

// splitRepository cuts host[:port]/path apart as the kubelet does, by way of a
// URL.
func splitRepository(name string) (host, port, repository string, ok bool) {
	parsed, err := url.Parse("https://" + name)
	if err != nil {
		return "", "", "", false
	}
	host, port, err = net.SplitHostPort(parsed.Host)
	if err != nil {
		host, port = parsed.Host, ""
	}
	return host, port, parsed.Path, true
}
