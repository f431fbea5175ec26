// SPDX-License-Identifier: Apache-2.0

package annotation_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/annotation"
)

func TestNames(t *testing.T) {
	for name, test := range map[string]struct {
		annotations map[string]string
		want        []string // credentials
	}{
		"none":             {nil, nil},
		"of others":        {map[string]string{"example.com/credentials": "openai"}, nil},
		"our own":          {map[string]string{"credence.dev/injected": `{"openai":["envFrom"]}`, "credence.dev/carried": "credence.dev/credentials"}, nil},
		"list":             {map[string]string{"credence.dev/credentials": "openai, hub"}, []string{"hub", "openai"}},
		"each once":        {map[string]string{"credence.dev/credentials": "openai,openai", "env.credence.dev/KEY": "openai/key"}, []string{"openai"}},
		"list with gaps":   {map[string]string{"credence.dev/credentials": ",openai,, hub,"}, []string{"hub", "openai"}},
		"list with others": {map[string]string{"credence.dev/credentials": "openai, Not One, -x"}, []string{"openai"}},
		"variable":         {map[string]string{"env.credence.dev/KEY": "openai/key;containers=main"}, []string{"openai"}},
		"bad variable":     {map[string]string{"env.credence.dev/9 9": "openai/not a key;bogus"}, []string{"openai"}},
		"variable of none": {map[string]string{"env.credence.dev/KEY": "openai"}, nil},
		"lines":            {map[string]string{"credence.dev/env": "\n_A=openai/a\nnonsense\n B = hub/b ;containers=x\n"}, []string{"hub", "openai"}},
		"mount":            {map[string]string{"mount.credence.dev/x": "openai:/etc/x;mode=0400"}, []string{"openai"}},
		"bad mount":        {map[string]string{"mount.credence.dev/x": " openai : relative ;mode=9"}, []string{"openai"}},
		"beside a bad one": {map[string]string{"mount.credence.dev/x": "", "credence.dev/credentials": "openai"}, []string{"openai"}},
		"switched off":     {map[string]string{"credence.dev/credentials": "openai", "credence.dev/inject": "false"}, nil},
		"switched on":      {map[string]string{"credence.dev/credentials": "openai", "credence.dev/inject": "true"}, []string{"openai"}},
		"bad switch":       {map[string]string{"credence.dev/credentials": "openai", "credence.dev/inject": "False"}, []string{"openai"}},
		"upper case":       {map[string]string{"Credence.dev/credentials": "openai", "ENV.credence.dev/KEY": "openai/key"}, nil},
		"misspelt":         {map[string]string{"credence.dev/credential": "openai"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(annotation.Referred{Credentials: test.want}, annotation.Names(test.annotations)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfAssets(t *testing.T) {
	for name, test := range map[string]struct {
		annotations map[string]string
		want        annotation.Referred
	}{
		"environment":  {map[string]string{"credence.dev/environment": " pytorch "}, annotation.Referred{Environment: "pytorch"}},
		"template":     {map[string]string{"credence.dev/template": "gpu"}, annotation.Referred{Template: "gpu"}},
		"data sources": {map[string]string{"credence.dev/data-sources": "repo, bucket,,Not One,repo"}, annotation.Referred{DataSources: []string{"bucket", "repo"}}},
		"all": {map[string]string{"credence.dev/environment": "a", "credence.dev/template": "a", "credence.dev/data-sources": "a", "credence.dev/credentials": "a"},
			annotation.Referred{Credentials: []string{"a"}, DataSources: []string{"a"}, Environment: "a", Template: "a"}},
		"no names":     {map[string]string{"credence.dev/environment": "a, b", "credence.dev/template": "", "credence.dev/data-sources": "A"}, annotation.Referred{}},
		"switched off": {map[string]string{"credence.dev/environment": "a", "credence.dev/data-sources": "b", "credence.dev/inject": "false"}, annotation.Referred{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, annotation.Names(test.annotations)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzNames holds that whatever Parse reads is found, and nothing more.
func FuzzNames(f *testing.F) {
	f.Add("credence.dev/credentials", "openai, hub", "env.credence.dev/KEY", "other/key;containers=a")
	f.Add("credence.dev/env", "_A=openai/a\n_B=hub/b", "mount.credence.dev/x", "other:/x;keys=a=b")
	f.Add("credence.dev/environment", " torch ", "credence.dev/data-sources", "repo, bucket,repo")
	f.Add("credence.dev/template", "gpu", "credence.dev/environment", "a, b")
	f.Add("credence.dev/inject", "false", "credence.dev/credentials", "openai")
	f.Add("credence.dev/containers", "main", "credence.dev/credentials", "openai")
	f.Fuzz(func(t *testing.T, key, value, otherKey, otherValue string) {
		annotations := map[string]string{key: value, otherKey: otherValue}
		got := annotation.Names(annotations)
		wanted, err := annotation.Parse(annotations)
		if err != nil {
			return
		}
		want := annotation.Referred{Environment: wanted.Environment, Template: wanted.Template, DataSources: slices.Clone(wanted.DataSources)}
		for _, named := range wanted.Named {
			want.Credentials = append(want.Credentials, named.Credential)
		}
		for _, env := range wanted.Env {
			want.Credentials = append(want.Credentials, env.Credential)
		}
		for _, mount := range wanted.Mounts {
			want.Credentials = append(want.Credentials, mount.Credential)
		}
		for _, list := range []*[]string{&want.Credentials, &want.DataSources} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of %q (-parsed +named):\n%s", annotations, diff)
		}
	})
}
