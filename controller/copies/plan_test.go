// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestPlan(t *testing.T) {
	wanted := Wanted{Name: "genericsecret-key", UID: "1"}.Fill(map[string][]byte{"k": []byte("v")}, "id:now")
	empty := Wanted{Name: "genericsecret-key", UID: "1", Fingerprint: "id:now"}
	at := func(namespace string, change ...func(*Copy)) Copy {
		c := Copy{NamespacedName: types.NamespacedName{Namespace: namespace, Name: "genericsecret-key"}, UID: "c", CredentialUID: "1", Fingerprint: "id:now"}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	outdated := func(c *Copy) { c.Fingerprint = "id:before" }
	otherKey := func(c *Copy) { c.Fingerprint = "other:now" }
	edited := func(c *Copy) { c.Edited = true }
	renamed := func(c *Copy) { c.Name = "else" }
	others := func(c *Copy) { c.CredentialUID = "2" }
	inherited := others // of one that is gone

	for name, test := range map[string]struct {
		situation Situation
		want      []string
	}{
		"nothing":                 {Situation{Wanted: wanted}, nil},
		"first":                   {Situation{Wanted: wanted, Desired: []string{"b", "a"}}, []string{"create a", "create b"}},
		"up to date":              {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a")}}, []string{"keep a"}},
		"rotated":                 {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a", outdated)}}, []string{"rewrite a"}},
		"of another key":          {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a", otherKey)}}, []string{"rewrite a"}},
		"edited":                  {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a", edited)}}, []string{"rewrite a"}},
		"out of scope":            {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a"), at("b")}}, []string{"keep a", "remove b"}},
		"of another name":         {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a", renamed)}}, []string{"create a", "remove a"}},
		"terminating":             {Situation{Wanted: wanted, Retained: []string{"a", "b"}, Existing: []Copy{at("a", outdated)}}, nil},
		"withdrawn, terminating":  {Situation{Wanted: wanted, Existing: []Copy{at("a")}}, []string{"remove a"}},
		"another credential's":    {Situation{Wanted: wanted, Desired: []string{"a", "b"}, Others: []Copy{at("a", others), at("c", others)}}, []string{"wait a", "create b"}},
		"inherited":               {Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{at("a", inherited)}}, []string{"rewrite a"}},
		"inherited, no values":    {Situation{Wanted: empty, Desired: []string{"a"}, Existing: []Copy{at("a", inherited)}}, []string{"keep a"}},
		"inherited, withdrawn":    {Situation{Wanted: empty, Existing: []Copy{at("a", inherited)}}, []string{"remove a"}},
		"inherited, terminating":  {Situation{Wanted: wanted, Retained: []string{"a"}, Existing: []Copy{at("a", inherited)}}, nil},
		"no values":               {Situation{Wanted: empty, Desired: []string{"a", "b", "c"}, Existing: []Copy{at("a"), at("b", outdated, edited)}}, []string{"keep a", "keep b", "keep c"}},
		"no values, out of scope": {Situation{Wanted: empty, Existing: []Copy{at("a")}}, []string{"remove a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, step := range Plan(test.situation) {
				got = append(got, fmt.Sprintf("%s %s", step.Action, step.Namespace))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWantedDoesNotPrintValues(t *testing.T) {
	wanted := Wanted{Credential: types.NamespacedName{Namespace: "n", Name: "key"}}.Fill(map[string][]byte{"k": []byte("not-a-secret")}, "f")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, wanted); got != "copies of n/key" {
			t.Errorf("%s prints %s", format, got)
		}
	}
}
