// SPDX-License-Identifier: Apache-2.0

package serving

import "net/http"

// WhenReady serves only while ready says so, and answers 503 otherwise: a server
// listens before its caches are complete, and a decision on half a cache is wrong.
func WhenReady(ready func() bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ready() {
			http.Error(w, "starting: the caches are not complete yet", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
