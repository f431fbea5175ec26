// SPDX-License-Identifier: Apache-2.0

// Package gitserver serves Git repositories with a login, by Git's own http-backend,
// and takes commits from whoever keeps the stage.
package gitserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

type server struct {
	repositories               string
	username, password, keeper string
	backend                    http.Handler
	committing                 sync.Mutex
}

// New serves the repositories in a folder. Another one has the logins, as files: username
// and password may read, keeper, the password of the user of that name, may commit.
func New(repositories, logins string) (http.Handler, error) {
	s := &server{repositories: repositories}
	for name, target := range map[string]*string{"username": &s.username, "password": &s.password, "keeper": &s.keeper} {
		content, err := os.ReadFile(filepath.Join(logins, name))
		if err != nil {
			return nil, fmt.Errorf("reading a login: %w", err)
		}
		if len(content) == 0 {
			return nil, fmt.Errorf("the login %s is empty", name)
		}
		*target = string(content)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, err
	}
	s.backend = &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Dir: repositories,
		// Without REMOTE_USER nobody may push.
		Env: []string{"GIT_PROJECT_ROOT=" + repositories, "GIT_HTTP_EXPORT_ALL=1"},
	}
	return s.handler(), nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /commits", s.postCommit)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(w, r, s.username, s.password) {
			s.backend.ServeHTTP(w, r)
		}
	})
	return mux
}

func (s *server) allowed(w http.ResponseWriter, r *http.Request, username, password string) bool {
	u, p, _ := r.BasicAuth()
	if same(u, username) && same(p, password) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="stage"`)
	http.Error(w, "a login is needed, and this is none", http.StatusUnauthorized)
	return false
}

func same(a, b string) bool {
	hashA, hashB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(hashA[:], hashB[:]) == 1
}

// postCommit adds a commit and answers with its hash.
func (s *server) postCommit(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r, "keeper", s.keeper) {
		return
	}
	var wanted Commit
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.committing.Lock()
	defer s.committing.Unlock()
	hash, err := wanted.add(r.Context(), s.repositories)
	if err != nil {
		http.Error(w, strings.TrimSpace(err.Error()), http.StatusUnprocessableEntity)
		return
	}
	fmt.Fprintln(w, hash)
}
