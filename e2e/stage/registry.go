// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// RegistryHost is the host of the registries' images.
const RegistryHost = "registry.test:5000"

// The paths of the two registries on that host. Each takes its own login alone.
const (
	Red  = "red"
	Blue = "blue"
)

// Registry is two registries on one host.
type Registry struct {
	door   door
	logins map[string]Login
}

// Login is that of the registry at a path, Red or Blue.
func (r *Registry) Login(path string) Login { return r.logins[path] }

// Address is what a login is for: registry.test:5000/red.
func (r *Registry) Address(path string) string { return RegistryHost + "/" + path }

// Push puts an image into the registry at a path, as a repository with a tag, such as
// pulls:1, and returns its whole name, such as registry.test:5000/red/pulls:1.
func (r *Registry) Push(ctx context.Context, path, repository string, image v1.Image) (string, error) {
	reference, err := name.ParseReference(r.Address(path)+"/"+repository, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("naming an image: %w", err)
	}
	login, known := r.logins[path]
	if !known {
		return "", fmt.Errorf("no registry is at the path %q: there are %q and %q", path, Red, Blue)
	}
	transport := r.door.transport(nil)
	err = remote.Write(reference, image, remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuth(&authn.Basic{Username: login.Username, Password: login.Password}))
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", reference, err)
	}
	return reference.String(), nil
}

// DockerConfig is the content of a Secret of type kubernetes.io/dockerconfigjson with
// the logins of the registries at these paths.
func (r *Registry) DockerConfig(paths ...string) []byte {
	type entry struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Auth     string `json:"auth"`
	}
	entries := map[string]entry{}
	for _, path := range paths {
		login := r.logins[path]
		entries[r.Address(path)] = entry{login.Username, login.Password,
			base64.StdEncoding.EncodeToString([]byte(login.Username + ":" + login.Password))}
	}
	content, err := json.Marshal(map[string]any{"auths": entries})
	if err != nil {
		panic(err) // strings alone
	}
	return content
}
