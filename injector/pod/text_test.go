// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/pod"
)

// What is only compared may be anything: the API server says what is wrong with it.
func TestTexts(t *testing.T) {
	decoded, err := pod.Decode([]byte(`{"spec":{"containers":[
		{"args":["a","\u0062"],"command":null,"workingDir":5,"env":[{"name":"A","value":1.5},{"name":"B","value":"\u0062"},{"name":"C","value":null}]},
		{"args":["a",true],"command":"sleep","restartPolicy":["Always"]},
		{"args":[]}
	]}}`))
	if err != nil {
		t.Fatal(err)
	}
	odd := decoded.Spec.Containers
	for what, same := range map[string]bool{
		"a list":             odd[0].Args.Equal([]string{"a", "b"}),
		"null and nothing":   odd[0].Command.Equal(nil),
		"nothing twice":      odd[2].Command.Equal(nil),
		"an empty list":      odd[2].Args.Equal(nil),
		"another list":       !odd[0].Args.Equal([]string{"a"}),
		"a list of others":   !odd[1].Args.Equal([]string{"a", "true"}),
		"no list":            !odd[1].Command.Equal([]string{"sleep"}) && !odd[1].Command.Equal(nil),
		"a list for nothing": !odd[2].Args.Equal([]string{""}),
	} {
		if !same {
			t.Errorf("%s: not so", what)
		}
	}
	got := []pod.Text{odd[0].WorkingDir, odd[1].RestartPolicy, odd[0].Env[0].Value, odd[0].Env[1].Value, odd[0].Env[2].Value}
	if diff := cmp.Diff([]pod.Text{"", "", "", "b", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
