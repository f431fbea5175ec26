// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

const testPatience = 5 * time.Minute

// at is a time of day, in minutes.
func at(minute int) time.Time {
	return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
}

// changed makes a change at a minute, of which the pods are outdated and the copy is
// ready.
func changed(name, fingerprint string, minute int, but ...func(*change)) change {
	c := change{credential: types.NamespacedName{Namespace: "system", Name: name}, fingerprint: fingerprint, at: at(minute), ready: true, outdated: true}
	for _, but := range but {
		but(&c)
	}
	return c
}

func unready(c *change) { c.ready = false }
func fresh(c *change)   { c.outdated = false }

// recorded makes a record of restarts that were asked for a minute after the change.
func recorded(entries ...any) record {
	r := record{}
	for i := 0; i < len(entries); i += 3 {
		changed := entries[i+2].(int)
		r["system/"+entries[i].(string)] = answer{Fingerprint: entries[i+1].(string), ChangedAt: at(changed), At: at(changed + 1)}
	}
	return r
}

func reverted(r record) record {
	for key, one := range r {
		one.Reverted = true
		r[key] = one
	}
	return r
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		template string
		record   record
		changes  []change
		now      int
		// want are the credentials due and reverted, the template's annotation after
		// that, and when to look again.
		due, reverted, after string
		again                time.Duration
	}{
		"the first change":               {changes: []change{changed("a", "k:1", 0)}, now: 1, due: "a", after: "k:1"},
		"another change":                 {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:2", 10)}, now: 11, due: "a", after: "k:2"},
		"another one in the same second": {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:2", 0)}, now: 1, due: "a", after: "k:2"},
		"back to older values":           {template: "k:2", record: recorded("a", "k:2", 10), changes: []change{changed("a", "k:1", 20)}, now: 21, due: "a", after: "k:1"},
		"missed while down (51)":         {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:2", 10)}, now: 600, due: "a", after: "k:2"},
		"old values in the copy":         {changes: []change{changed("a", "k:1", 0, unready)}, now: 1},
		"no pod is outdated (50)":        {changes: []change{changed("a", "k:1", 0, fresh)}, now: 1},

		"restarted already (52)":            {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:1", 0)}, now: 2, after: "k:1", again: testPatience},
		"restarted, and the record is lost": {template: "k:1", changes: []change{changed("a", "k:1", 0)}, now: 2, after: "k:1", again: testPatience},
		"a copy was edited and mended":      {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:1", 30)}, now: 31, after: "k:1", again: testPatience},

		"another key, nothing changed":              {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "other:9", 0)}, now: 2, after: "other:9", again: testPatience},
		"another key, and then a change":            {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "other:8", 40)}, now: 41, due: "a", after: "other:8"},
		"another key, and no pod is outdated":       {template: "k:1", record: recorded("a", "k:1", 0), changes: []change{changed("a", "other:9", 0, fresh)}, now: 2, after: "other:9"},
		"another key, and the restart is gone":      {record: recorded("a", "k:1", 0), changes: []change{changed("a", "other:9", 0)}, now: 60, reverted: "a"},
		"another key, and the restart was reverted": {record: reverted(recorded("a", "k:1", 0)), changes: []change{changed("a", "other:9", 0)}, now: 60},

		"two at once":                         {changes: []change{changed("a", "k:9", 0), changed("b", "k:1", 0)}, now: 1, due: "a b", after: "k:1,k:9"},
		"the second one later":                {template: "k:9", record: recorded("a", "k:9", 0), changes: []change{changed("a", "k:9", 0, fresh), changed("b", "k:1", 5)}, now: 6, due: "b", after: "k:1,k:9"},
		"the second one while the first runs": {template: "k:9", record: recorded("a", "k:9", 0), changes: []change{changed("a", "k:9", 0), changed("b", "k:1", 1)}, now: 2, due: "b", after: "k:1,k:9", again: testPatience},
		"the second one is not ready":         {changes: []change{changed("a", "k:9", 0), changed("b", "k:1", 0, unready)}, now: 1, due: "a", after: "k:9"},
		"one that is not read any more":       {template: "k:1,k:9", record: recorded("a", "k:9", 0, "b", "k:1", 0), changes: []change{changed("a", "k:8", 5)}, now: 6, due: "a", after: "k:8"},
		"one that nobody was restarted for":   {changes: []change{changed("a", "k:9", 0, fresh), changed("b", "k:1", 5)}, now: 6, due: "b", after: "k:1"},

		"taken back a moment ago":           {record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:1", 0)}, now: 3, again: 3 * time.Minute},
		"taken back (22)":                   {record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:1", 0)}, now: 6, reverted: "a"},
		"taken back, and told":              {record: reverted(recorded("a", "k:1", 0)), changes: []change{changed("a", "k:1", 0)}, now: 60},
		"taken back, and the pods are new":  {record: recorded("a", "k:1", 0), changes: []change{changed("a", "k:1", 0, fresh)}, now: 60},
		"taken back, and another change":    {record: reverted(recorded("a", "k:1", 0)), changes: []change{changed("a", "k:2", 10)}, now: 11, due: "a", after: "k:2"},
		"taken back, and another's change":  {record: reverted(recorded("a", "k:1", 0)), changes: []change{changed("a", "k:1", 0), changed("b", "k:2", 10)}, now: 11, due: "b", after: "k:2"},
		"one of two is taken back":          {template: "k:2", record: recorded("a", "k:1", 0, "b", "k:2", 0), changes: []change{changed("a", "k:1", 0), changed("b", "k:2", 0)}, now: 60, reverted: "a", after: "k:2", again: testPatience},
		"older than what was restarted for": {template: "k:2", record: recorded("a", "k:2", 10), changes: []change{changed("a", "k:1", 0)}, now: 11, after: "k:1", again: testPatience},
	} {
		t.Run(name, func(t *testing.T) {
			before := state{readFingerprints(test.template), test.record}
			got := decide(before, test.changes, at(test.now), testPatience)
			if diff := cmp.Diff([]string{test.due, test.reverted, test.after}, []string{
				strings.Join(names(got.due), " "), strings.Join(names(got.reverted), " "), writeFingerprints(got.after.fingerprints)}); diff != "" {
				t.Errorf("due, reverted and the template (-want +got):\n%s", diff)
			}
			if got.again != test.again {
				t.Errorf("look again in %s, want %s", got.again, test.again)
			}
			if len(got.due)+len(got.reverted) == 0 {
				return
			}
			// What was decided is not decided again, now or later, by this process or another.
			written := state{readFingerprints(writeFingerprints(got.after.fingerprints)), readRecord(got.after.record.String())}
			for _, minute := range []int{test.now, test.now + 600} {
				if again := decide(written, test.changes, at(minute), testPatience); len(again.due)+len(again.reverted) > 0 {
					t.Errorf("decided again: due %q, reverted %q", names(again.due), names(again.reverted))
				}
			}
		})
	}
}

func TestRecord(t *testing.T) {
	for _, odd := range []string{"", "null", "[]", `"x"`, `{"a":1}`, `{"a/b":{"changedAt":"yesterday"}}`, "{"} {
		if got := readRecord(odd); len(got) > 0 || got == nil {
			t.Errorf("%q is read as %v", odd, got)
		}
	}
	live := recorded("a", "k:1", 0, "b", "k:2", 10)
	remembered := recorded("a", "k:3", 5, "b", "k:1", 5, "c", "k:4", 0)
	want := recorded("a", "k:3", 5, "b", "k:2", 10, "c", "k:4", 0)
	if diff := cmp.Diff(want, live.with(remembered)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if got := live.with(reverted(recorded("a", "k:1", 0))).of(types.NamespacedName{Namespace: "system", Name: "a"}); !got.Reverted {
		t.Error("that a restart was taken back is forgotten")
	}
	if diff := cmp.Diff(live, readRecord(live.String())); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}
