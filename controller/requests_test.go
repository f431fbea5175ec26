// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// requests are those that a process sent.
type requests struct {
	hold func(*http.Request)
	// frozen keeps patches of Credentials waiting.
	frozen sync.RWMutex

	mu   sync.Mutex
	list []string
	// wide are the lists and watches of Secrets that ask for more than metadata, or
	// for Secrets without a label of ours.
	wide []string
	// notFound are those that were answered so.
	notFound []string
}

func (r *requests) count(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if r.hold != nil {
			r.hold(request)
		}
		if request.Method == http.MethodPatch && strings.Contains(request.URL.Path, "/credentials/") {
			r.frozen.RLock()
			defer r.frozen.RUnlock()
		}
		r.mu.Lock()
		r.list = append(r.list, request.Method+" "+request.URL.Path)
		if isWide(request) {
			r.wide = append(r.wide, request.URL.RequestURI())
		}
		r.mu.Unlock()
		response, err := next.RoundTrip(request)
		if err == nil && response.StatusCode == http.StatusNotFound {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notFound = append(r.notFound, request.Method+" "+request.URL.Path)
		}
		return response, err
	})
}

func isWide(request *http.Request) bool {
	if request.Method != http.MethodGet || !strings.HasSuffix(request.URL.Path, "/secrets") {
		return false
	}
	return request.URL.Query().Get("labelSelector") == "" || !strings.Contains(request.Header.Get("Accept"), "as=PartialObjectMetadata")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// writes returns the requests that change something, of which the path has a part.
func (r *requests) writes(part string) []string {
	return slices.DeleteFunc(r.all(part), func(line string) bool { return strings.HasPrefix(line, http.MethodGet+" ") })
}

// all returns the requests, other than events, of which the path has a part.
func (r *requests) all(part string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, line := range r.list {
		if !strings.Contains(line, "/events") && strings.Contains(line, part) {
			all = append(all, line)
		}
	}
	return all
}

// reads returns how often something was read.
func (r *requests) reads(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for _, line := range r.list {
		if line == http.MethodGet+" "+path {
			count++
		}
	}
	return count
}

// missing returns how often something was asked for by a method that was not there.
func (r *requests) missing(method, path string) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.notFound {
		if strings.HasPrefix(line, method+" ") && strings.HasSuffix(line, path) {
			count++
		}
	}
	return count
}

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
}
