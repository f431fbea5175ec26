// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

func definition(t testing.TB, of v1alpha1.CredentialType) *credential.Definition {
	t.Helper()
	found, ok := credential.DefinitionOf(of)
	if !ok {
		t.Fatalf("no type %s", of)
	}
	return found
}

func TestKeys(t *testing.T) {
	type keys = []v1alpha1.SecretKey
	for name, test := range map[string]struct {
		of   v1alpha1.CredentialType
		keys []string
		want keys
	}{
		"docker-registry": {of: v1alpha1.DockerRegistry, keys: []string{".dockerconfigjson"}, want: keys{{Key: ".dockerconfigjson", Role: ".dockerconfigjson"}}},
		"access-key": {
			of: v1alpha1.AccessKey, keys: []string{"SecretKey", "AccessKeyId"},
			want: keys{{Key: "AccessKeyId", Role: "accessKeyId"}, {Key: "SecretKey", Role: "secretAccessKey"}},
		},
		"access-key of camel case": {
			of: v1alpha1.AccessKey, keys: []string{"accessKeyId", "secretAccessKey"},
			want: keys{{Key: "accessKeyId", Role: "accessKeyId"}, {Key: "secretAccessKey", Role: "secretAccessKey"}},
		},
		"access-key of variables": {
			of: v1alpha1.AccessKey, keys: []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"},
			want: keys{{Key: "AWS_ACCESS_KEY_ID", Role: "accessKeyId"}, {Key: "AWS_REGION"}, {Key: "AWS_SECRET_ACCESS_KEY", Role: "secretAccessKey"}},
		},
		"access-key of profile": {
			of: v1alpha1.AccessKey, keys: []string{"aws_access_key_id", "aws_secret_access_key"},
			want: keys{{Key: "aws_access_key_id", Role: "accessKeyId"}, {Key: "aws_secret_access_key", Role: "secretAccessKey"}},
		},
		"access-key of two spellings: the first plays": {
			of: v1alpha1.AccessKey, keys: []string{"aws_access_key_id", "accessKeyId", "AccessKeyId", "secretAccessKey", "SecretKey"},
			want: keys{
				{Key: "AccessKeyId", Role: "accessKeyId"}, {Key: "SecretKey", Role: "secretAccessKey"},
				{Key: "accessKeyId"}, {Key: "aws_access_key_id"}, {Key: "secretAccessKey"},
			},
		},
		"password":             {of: v1alpha1.Password, keys: []string{"username", "password"}, want: keys{{Key: "password", Role: "password"}, {Key: "username", Role: "username"}}},
		"password, capital":    {of: v1alpha1.Password, keys: []string{"User", "Password"}, want: keys{{Key: "Password", Role: "password"}, {Key: "User", Role: "username"}}},
		"password, short":      {of: v1alpha1.Password, keys: []string{"user", "password"}, want: keys{{Key: "password", Role: "password"}, {Key: "user", Role: "username"}}},
		"ssh-key":              {of: v1alpha1.SSHKey, keys: []string{"ssh-privatekey"}, want: keys{{Key: "ssh-privatekey", Role: "privateKey"}}},
		"ssh-key, short":       {of: v1alpha1.SSHKey, keys: []string{"ssh"}, want: keys{{Key: "ssh", Role: "privateKey"}}},
		"ssh-key, known hosts": {of: v1alpha1.SSHKey, keys: []string{"known_hosts", "ssh"}, want: keys{{Key: "known_hosts", Role: "knownHosts"}, {Key: "ssh", Role: "privateKey"}}},
		"generic":              {of: v1alpha1.Generic, keys: []string{"b", "username", "a"}, want: keys{{Key: "a"}, {Key: "b"}, {Key: "username"}}},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.keys)
			got, err := definition(t, test.of).Keys(given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.keys, given); diff != "" {
				t.Errorf("what was given is changed:\n%s", diff)
			}
		})
	}
}

// TestEverySpelling holds that each spelling of a role plays it on its own, so
// that no table has to list them again.
func TestEverySpelling(t *testing.T) {
	for _, definition := range credential.Definitions() {
		for i, role := range definition.Roles {
			for _, spelling := range role.Keys {
				t.Run(fmt.Sprintf("%s %s", definition.Type, spelling), func(t *testing.T) {
					keys := []string{spelling}
					for j, other := range definition.Roles {
						if j != i {
							keys = append(keys, other.Keys[0])
						}
					}
					got, err := definition.Keys(keys)
					if err != nil {
						t.Fatal(err)
					}
					if key, ok := credential.FindKey(got, role.Name); !ok || key != spelling {
						t.Errorf("role %s is played by %q", role.Name, key)
					}
				})
			}
		}
	}
}

func TestKeysRefuses(t *testing.T) {
	many := make([]string, v1alpha1.MaxStatusKeys+1)
	for i := range many {
		many[i] = fmt.Sprintf("key-%d", i)
	}
	for name, test := range map[string]struct {
		of   v1alpha1.CredentialType
		keys []string
		want string
	}{
		"docker-registry without":       {of: v1alpha1.DockerRegistry, keys: []string{".dockercfg"}, want: "has no key .dockerconfigjson"},
		"access-key without id":         {of: v1alpha1.AccessKey, keys: []string{"SecretKey"}, want: "has no key for accessKeyId: one of AccessKeyId, accessKeyId, AWS_ACCESS_KEY_ID, aws_access_key_id"},
		"access-key without secret":     {of: v1alpha1.AccessKey, keys: []string{"AccessKeyId", "secretkey"}, want: "has no key for secretAccessKey: one of SecretKey, secretAccessKey, AWS_SECRET_ACCESS_KEY, aws_secret_access_key"},
		"password without user name":    {of: v1alpha1.Password, keys: []string{"password", "USER"}, want: "has no key for username: one of username, User, user"},
		"password without password":     {of: v1alpha1.Password, keys: []string{"username"}, want: "has no key for password: one of password, Password"},
		"ssh-key without key":           {of: v1alpha1.SSHKey, keys: []string{"known_hosts"}, want: "has no key for privateKey: one of ssh-privatekey, ssh"},
		"generic without anything":      {of: v1alpha1.Generic, want: "has no keys; put the values into it"},
		"password without anything":     {of: v1alpha1.Password, want: "has no key for username: one of username, User, user"},
		"generic with more than status": {of: v1alpha1.Generic, keys: many, want: "has 1025 keys, and at most 1024 are supported"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := definition(t, test.of).Keys(test.keys)
			if err == nil {
				t.Fatalf("takes them: %v", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got, err := definition(t, v1alpha1.Generic).Keys(many[1:]); err != nil || len(got) != v1alpha1.MaxStatusKeys {
		t.Errorf("of as many keys as a status holds it takes %d, with error %v", len(got), err)
	}
}

func TestFindKey(t *testing.T) {
	keys := []v1alpha1.SecretKey{
		{Key: "AccessKeyId", Role: "accessKeyId"}, {Key: "SecretKey", Role: "secretAccessKey"},
		{Key: "secretAccessKey"}, {Key: "endpoint"},
	}
	for name, test := range map[string]struct {
		reference, want string
		unknown         bool
	}{
		"key":                  {reference: "endpoint", want: "endpoint"},
		"key with a role":      {reference: "AccessKeyId", want: "AccessKeyId"},
		"role":                 {reference: "accessKeyId", want: "AccessKeyId"},
		"exact key wins":       {reference: "secretAccessKey", want: "secretAccessKey"},
		"other case":           {reference: "Endpoint", unknown: true},
		"nothing":              {reference: "", unknown: true},
		"spelling not in here": {reference: "AWS_ACCESS_KEY_ID", unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := credential.FindKey(keys, test.reference)
			if got != test.want || ok == test.unknown {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestAssumedKeys(t *testing.T) {
	for of, want := range map[v1alpha1.CredentialType][]v1alpha1.SecretKey{
		v1alpha1.DockerRegistry: {{Key: ".dockerconfigjson", Role: ".dockerconfigjson"}},
		v1alpha1.AccessKey:      {{Key: "AccessKeyId", Role: "accessKeyId"}, {Key: "SecretKey", Role: "secretAccessKey"}},
		v1alpha1.Password:       {{Key: "username", Role: "username"}, {Key: "password", Role: "password"}},
		v1alpha1.SSHKey:         {{Key: "ssh-privatekey", Role: "privateKey"}, {Key: "known_hosts", Role: "knownHosts"}},
		v1alpha1.Generic:        {},
	} {
		t.Run(string(of), func(t *testing.T) {
			if diff := cmp.Diff(want, definition(t, of).AssumedKeys()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
