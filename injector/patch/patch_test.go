// SPDX-License-Identifier: Apache-2.0

package patch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/injector/patch"
)

func TestAppendJSON(t *testing.T) {
	for name, test := range map[string]struct {
		operations []jsonpatch.Operation
		want       string
	}{
		"none": {want: "x[]"},
		"several": {
			operations: []jsonpatch.Operation{
				jsonpatch.NewOperation("add", `/a~1b/"`, map[string]any{"z": 1, "a": "<>&\u2028"}),
				{Operation: "remove", Path: "/c"},
				jsonpatch.NewOperation("add", "/d", nil),
			},
			want: `x[{"op":"add","path":"/a~1b/\"","value":{"a":"<>&` + "\u2028" + `","z":1}},{"op":"remove","path":"/c"},{"op":"add","path":"/d","value":null}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := patch.AppendJSON([]byte("x"), test.operations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := patch.AppendJSON(nil, []jsonpatch.Operation{{Operation: "add", Path: "/a", Value: make(chan int)}}); err == nil {
		t.Error("writes a channel")
	}
}
