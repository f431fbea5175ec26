// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// registry answers with its name and what it was asked for, if the password is its
// name, too.
func registry(t *testing.T, all routes, name string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != name {
			w.Header().Set("WWW-Authenticate", "Basic realm="+name)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, name, " ", r.Method, " ", r.Host, r.URL.RequestURI())
	}))
	t.Cleanup(server.Close)
	if err := all.Set(name + "=" + server.URL); err != nil {
		t.Fatal(err)
	}
}

func TestRoutes(t *testing.T) {
	all := routes{}
	registry(t, all, "red")
	registry(t, all, "blue")
	served := handler(all)
	for name, test := range map[string]struct {
		method, path, password string
		status                 int
		body                   string // empty: any
	}{
		"first":             {path: "/v2/red/app/manifests/1?ns=a", password: "red", status: 200, body: "red GET registry.test:5000/v2/red/app/manifests/1?ns=a"},
		"second":            {path: "/v2/blue/app/manifests/1", password: "blue", status: 200, body: "blue GET registry.test:5000/v2/blue/app/manifests/1"},
		"upload":            {method: "POST", path: "/v2/red/app/blobs/uploads/", password: "red", status: 200, body: "red POST registry.test:5000/v2/red/app/blobs/uploads/"},
		"login of another":  {path: "/v2/red/app/manifests/1", password: "blue", status: 401},
		"no such registry":  {path: "/v2/green/app/manifests/1", password: "red", status: 404},
		"similar name":      {path: "/v2/redder/app/manifests/1", password: "red", status: 404},
		"no repository":     {path: "/v2/red", password: "red", status: 404},
		"catalog":           {path: "/v2/_catalog", password: "red", status: 404},
		"elsewhere":         {path: "/red/app", password: "red", status: 404},
		"ping with a login": {path: "/v2/", password: "blue", status: 200},
		"ping with another": {path: "/v2/", password: "red", status: 200},
		"well":              {path: "/healthz", status: 200},
		"ping with none":    {path: "/v2/", status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, "http://registry.test:5000"+test.path, nil)
			request.SetBasicAuth("somebody", test.password)
			response := httptest.NewRecorder()
			served.ServeHTTP(response, request)
			if response.Code != test.status || test.body != "" && response.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", response.Code, response.Body, test.status, test.body)
			}
			if response.Code == http.StatusUnauthorized && response.Header().Get("WWW-Authenticate") == "" {
				t.Error("it does not say what login is needed")
			}
		})
	}
}

func TestRouteMustBeWhole(t *testing.T) {
	for _, text := range []string{"", "red", "red=", "=http://127.0.0.1:1", "red=127.0.0.1"} {
		if err := (routes{}).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestIsNotWellWithoutARegistry(t *testing.T) {
	all := routes{}
	registry(t, all, "red")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if err := all.Set("blue=" + gone.URL); err != nil {
		t.Fatal(err)
	}
	response := httptest.NewRecorder()
	handler(all).ServeHTTP(response, httptest.NewRequest("", "/healthz", nil))
	if response.Code != http.StatusBadGateway {
		t.Errorf("got %d", response.Code)
	}
}
