// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/credence-dev/credence/e2e/stage/gitserver"
)

const gitHost = gitName + "." + Namespace + ".svc"

// Git is a Git server, over HTTPS with a password and over SSH with a key.
type Git struct {
	door   door
	logins *logins
}

// HTTPS is the address of a repository, such as team-a/code, as pods reach it.
func (g *Git) HTTPS(repository string) string {
	return "https://" + gitHost + "/" + repository + ".git"
}

// SSH is the address of a repository by SSH.
func (g *Git) SSH(repository string) string { return "git@" + gitHost + ":" + repository + ".git" }

// Login is for HTTPS.
func (g *Git) Login() Login { return g.logins.git }

// PrivateKey is for SSH, in OpenSSH's form.
func (g *Git) PrivateKey() []byte { return g.logins.userKey }

// KnownHosts is what ssh knows the server by.
func (g *Git) KnownHosts() []byte { return append([]byte(gitHost+" "), g.logins.hostPublic...) }

// Commit adds a commit to a branch of a repository and returns its hash. Repository and
// branch are made if they are not there; the first branch is the default one. files are
// all that is in the tree, by their paths.
func (g *Git) Commit(ctx context.Context, repository, branch string, files map[string]string) (hash string, err error) {
	body, err := json.Marshal(gitserver.Commit{Repository: repository, Branch: branch, Files: files})
	if err != nil {
		return "", err
	}
	hash, err = g.post(ctx, body)
	if err != nil {
		return "", fmt.Errorf("committing to %s of %s: %w", branch, repository, err)
	}
	return hash, nil
}

func (g *Git) post(ctx context.Context, body []byte) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+gitHost+"/commits", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(g.logins.keeper.Username, g.logins.keeper.Password)
	response, err := g.client().Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(answer))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, text)
	}
	return text, nil
}

func (g *Git) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.logins.ca)
	return &http.Client{Transport: g.door.transport(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})}
}
