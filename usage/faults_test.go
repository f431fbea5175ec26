// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/usage"
)

// line is the way to the API server, which breaks when a test wants it to.
type line struct {
	mu sync.Mutex
	// refuse answers a request in the API server's place, if it returns a status.
	refuse  func(path string, query url.Values) int
	watches []io.Closer
	seen    []*url.URL
}

func (l *line) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		query := request.URL.Query()
		l.mu.Lock()
		l.seen = append(l.seen, request.URL)
		refuse := l.refuse
		l.mu.Unlock()
		if refuse != nil {
			if code := refuse(request.URL.Path, query); code != 0 {
				return refusal(request, code), nil
			}
		}
		response, err := next.RoundTrip(request)
		if err == nil && query.Get("watch") != "" {
			l.mu.Lock()
			l.watches = append(l.watches, response.Body)
			l.mu.Unlock()
		}
		return response, err
	})
}

// cut ends all watches, and has requests refused from then on.
func (l *line) cut(refuse func(path string, query url.Values) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
	for _, body := range l.watches {
		_ = body.Close() // the reader is told
	}
	l.watches = nil
}

// lists returns the queries of the lists of a resource.
func (l *line) lists(resource string) []url.Values {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lists []url.Values
	for _, one := range l.seen {
		if query := one.Query(); strings.HasSuffix(one.Path, "/"+resource) && query.Get("watch") == "" {
			lists = append(lists, query)
		}
	}
	return lists
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func refusal(request *http.Request, code int) *http.Response {
	reasons := map[int]metav1.StatusReason{
		http.StatusGone: metav1.StatusReasonExpired, http.StatusUnprocessableEntity: metav1.StatusReasonInvalid,
		http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
	}
	body := fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused", "reason": %q, "code": %d}`, reasons[code], code)
	return &http.Response{
		StatusCode: code, Request: request, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func (l *line) config(t *testing.T) *rest.Config {
	config := config(t)
	config.Wrap(l.wrap)
	return config
}

// TestWatchRestarts: what happens while the line is down is known afterwards, also
// if the API server no longer knows what was missed.
func TestWatchRestarts(t *testing.T) {
	expired := func(_ string, query url.Values) int {
		if query.Get("resourceVersion") != "" && query.Get("watch") != "" {
			return http.StatusGone
		}
		return 0
	}
	for name, behind := range map[string]func(string, url.Values) int{"watched on": nil, "listed again": expired} {
		t.Run(name, func(t *testing.T) {
			w, l := newWorld(t), &line{}
			old, stays := w.pod("old"), w.pod("stays")
			w.create(old, stays, w.deployment())
			w.follow(l.config(t), usage.Options{})
			w.synced()
			w.users("Deployment web", "Pod old", "Pod stays")

			l.cut(func(string, url.Values) int { return http.StatusServiceUnavailable })
			w.remove(old)
			w.create(w.pod("new"))
			w.eventually("the failure shows", func() string {
				if behind != nil || w.gauge("credence_usage_followed", "Pod") == 0 {
					return ""
				}
				return "the metric says that pods are followed"
			})
			w.users("Deployment web", "Pod old", "Pod stays") // what is known stays known
			l.cut(behind)
			w.users("Deployment web", "Pod new", "Pod stays")
			l.cut(nil)
			w.followed("Pod")
		})
	}
}

// TestWithoutStreaming: an API server that does not stream lists is asked for
// pages, and never for all at once.
func TestWithoutStreaming(t *testing.T) {
	w := newWorld(t)
	l := &line{refuse: func(_ string, query url.Values) int {
		if query.Get("sendInitialEvents") != "" {
			return http.StatusUnprocessableEntity
		}
		return 0
	}}
	const accounts = 501 // one more than a page
	for i := range accounts {
		w.create(&corev1.ServiceAccount{ObjectMeta: w.named(fmt.Sprint("account-", i)), ImagePullSecrets: []corev1.LocalObjectReference{{Name: "x"}}})
	}
	w.create(w.deployment())
	w.follow(l.config(t), usage.Options{})
	w.synced()
	w.users("Deployment web")
	if held := w.gauge("credence_usage_objects", "ServiceAccount"); held < accounts {
		t.Errorf("%v service accounts are held, want %d", held, accounts)
	}
	lists := l.lists("serviceaccounts")
	if len(lists) < 2 {
		t.Errorf("the service accounts came in %d pages", len(lists))
	}
	for _, query := range lists {
		if query.Get("limit") == "" || query.Get("resourceVersion") == "0" {
			t.Errorf("a list asks for all at once: %v", query)
		}
	}
	w.remove(w.deployment())
	w.users()
}

// TestRefusedWatchIsLogged: a reflector tries a watch again and again by itself, and
// somebody has to hear of it.
func TestRefusedWatchIsLogged(t *testing.T) {
	w := newWorld(t)
	l := &line{refuse: func(path string, query url.Values) int {
		if strings.HasSuffix(path, "/cronjobs") && query.Get("watch") != "" {
			return http.StatusTooManyRequests
		}
		return 0
	}}
	lines := make(chan string, 100)
	w.follow(l.config(t), usage.Options{Log: funcr.New(func(_, args string) {
		select {
		case lines <- args:
		default: // nobody reads any more
		}
	}, funcr.Options{})})
	for deadline := time.After(30 * time.Second); ; {
		select {
		case said := <-lines:
			if strings.Contains(said, "cannot follow") && strings.Contains(said, "CronJob.batch") {
				return
			}
		case <-deadline:
			t.Fatal("nothing is said of a kind that cannot be watched")
		}
	}
}
