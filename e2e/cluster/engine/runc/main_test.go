// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpecFile(t *testing.T) {
	for args, want := range map[string]string{
		"--root /run create --bundle /b --pid-file /p id": "/b/config.json",
		"create --bundle=/b id":                           "/b/config.json",
		"exec --process /run/process.json --detach id":    "/run/process.json",
		"exec --process=/run/process.json id":             "/run/process.json",
		"kill id 9":                                       "",
		"--version":                                       "",
	} {
		if got := specFile(strings.Fields(args)); got != want {
			t.Errorf("runc %s: %q, want %q", args, got, want)
		}
	}
}

func TestIsBounded(t *testing.T) {
	for mask, want := range map[string]bool{"000001ffffffffff": true, "000001fffeffffff": false} {
		if got := isBounded("Name:\trunc\nCapBnd:\t" + mask + "\n"); got != want {
			t.Errorf("%s: %v, want %v", mask, got, want)
		}
	}
}

func TestRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	for before, after := range map[string]string{
		`{"process":{"args":["a"],"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"]}},"root":{}}`: `{"process":{"args":["a"],"capabilities":{"bounding":["CAP_CHOWN"]}},"root":{}}`,
		`{"args":["a"],"capabilities":{"effective":["CAP_SYS_RESOURCE","CAP_KILL"]}}`:                       `{"args":["a"],"capabilities":{"effective":["CAP_KILL"]}}`,
		`{"linux":{"limit":9223372036854771712}}`:                                                           `{"linux":{"limit":9223372036854771712}}`,
		`{"process":{"args":["a"]}}`:                                                                        `{"process":{"args":["a"]}}`,
	} {
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(file); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != after {
			t.Errorf("%s\nbecomes %s, %v\nwant    %s", before, got, err, after)
		}
	}
	if err := rewrite(filepath.Join(t.TempDir(), "config.json")); err != nil {
		t.Errorf("what is not there is none of its business: %v", err)
	}
}
