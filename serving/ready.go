// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"io"
	"net/http"
	"sync/atomic"
)

// starting is a Status, whose message API servers pass on.
const starting = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"ServiceUnavailable","code":503,` +
	`"message":"credence is starting: its caches are not complete yet"}`

// WhenReady serves only while ready says so, and answers 503 otherwise: a server
// listens before its caches are complete, and a decision on half a cache is wrong.
func WhenReady(ready func() bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ready() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, starting)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Once is a readiness check that is not made again once it has passed: one that
// connects to the server would fill its log where clients must show certificates.
func Once(check func(*http.Request) error) func(*http.Request) error {
	var passed atomic.Bool
	return func(r *http.Request) error {
		if passed.Load() {
			return nil
		}
		err := check(r)
		passed.Store(err == nil)
		return err
	}
}
