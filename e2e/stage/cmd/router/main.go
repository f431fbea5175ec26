// SPDX-License-Identifier: Apache-2.0

// Command router puts several registries behind one host, each below a path of its
// own: what is asked for at /v2/<path>/… goes to the registry of that path.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

// routes are registries by the first part of their repositories' names.
type routes map[string]*url.URL

func (r routes) String() string { return fmt.Sprint(len(r), " routes") }

// Set takes a route such as red=http://127.0.0.1:5001.
func (r routes) Set(text string) error {
	name, address, found := strings.Cut(text, "=")
	target, err := url.Parse(address)
	if !found || name == "" || err != nil || target.Host == "" {
		return errors.New("must be such as red=http://127.0.0.1:5001")
	}
	r[name] = target
	return nil
}

func main() {
	all := routes{}
	listen := flag.String("listen", ":5000", "the address to serve at")
	flag.Var(all, "route", "a registry, such as red=http://127.0.0.1:5001; may be given often")
	flag.Parse()
	server := http.Server{Addr: *listen, Handler: handler(all), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "router:", server.ListenAndServe())
	os.Exit(1)
}

func handler(all routes) http.Handler {
	proxies := map[string]http.Handler{}
	for name, target := range all {
		proxies[name] = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // so that a registry's own addresses are those of this host
		}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			healthz(w, r, proxies)
			return
		}
		rest, versioned := strings.CutPrefix(r.URL.Path, "/v2/")
		if versioned && rest == "" {
			ping(w, r, proxies)
			return
		}
		name, _, deeper := strings.Cut(rest, "/")
		if proxy, known := proxies[name]; versioned && deeper && known {
			proxy.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// ping answers what clients ask first, without saying where they go next: whether a
// login is needed, and whether one is right. It is if it is right for any registry.
func ping(w http.ResponseWriter, r *http.Request, proxies map[string]http.Handler) {
	last := httptest.NewRecorder()
	last.Code = http.StatusBadGateway
	for _, proxy := range proxies {
		last = httptest.NewRecorder()
		proxy.ServeHTTP(last, r.Clone(r.Context()))
		if last.Code == http.StatusOK {
			break
		}
	}
	for name, values := range last.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(last.Code)
	_, _ = w.Write(last.Body.Bytes()) // the client may be gone
}

// healthz is well when all registries answer.
func healthz(w http.ResponseWriter, r *http.Request, proxies map[string]http.Handler) {
	for name, proxy := range proxies {
		asked := r.Clone(r.Context())
		asked.URL.Path = "/v2/"
		answer := httptest.NewRecorder()
		if proxy.ServeHTTP(answer, asked); answer.Code >= http.StatusInternalServerError {
			http.Error(w, "the registry of "+name+" does not answer", http.StatusBadGateway)
			return
		}
	}
}
