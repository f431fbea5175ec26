// SPDX-License-Identifier: Apache-2.0

package race

import (
	"strings"
	"testing"
	"time"
)

// tale makes up a log.
type tale struct {
	log  []event
	now  time.Time
	next uint64
}

func (t *tale) tell(e event) {
	t.next++
	e.at, e.revision, e.namespace = t.now, t.next, "a"
	t.log = append(t.log, e)
}

func (t *tale) wait(d time.Duration) *tale { t.now = t.now.Add(d); return t }

func (t *tale) credential(uid, state string) *tale {
	t.tell(event{kind: aCredential, name: "key", uid: uid, secret: "s", deleting: state != "made", gone: state == "gone"})
	return t
}

func (t *tale) copied(owner string, gone bool) *tale {
	t.tell(event{kind: aCopy, name: "s", uid: "copy", owner: owner, gone: gone})
	return t
}

func (t *tale) pod(how string) *tale {
	t.tell(event{kind: aPod, name: "p", uid: "p", refers: []string{"s"}, injected: how == "injected", gone: how == "gone"})
	return t
}

func (t *tale) workload(gone bool) *tale {
	t.tell(event{kind: aWorkload, name: "web", uid: "web", refers: []string{"s"}, gone: gone})
	return t
}

var usual = limits{moment: time.Second, back: 5 * time.Second, pending: 10 * time.Second, past: 3 * time.Second}

// TestCheck: each promise is broken, and what is not broken is not complained about.
func TestCheck(t *testing.T) {
	const s = time.Second
	begin := func() *tale {
		return (&tale{now: time.Unix(1e9, 0)}).credential("1", "made").copied("1", false)
	}
	for name, test := range map[string]struct {
		log  *tale
		want string // the beginning of the only complaint
	}{
		"all in order":                  {begin().pod("injected").wait(s).credential("1", "deleting").wait(9*s).pod("gone").wait(9*s).copied("1", true).credential("1", "gone"), ""},
		"deleted under an injected pod": {begin().pod("injected").wait(s/2).copied("1", true), "(2)"},
		"deleted under another":         {begin().pod("direct").wait(9*s).copied("1", true), "(1)"},
		"deleted and given back":        {begin().wait(s).pod("direct").wait(s/2).copied("1", true).wait(4*s).copied("1", false).wait(9 * s).pod("gone"), ""},
		"deleted and given back late":   {begin().wait(s).pod("direct").wait(s/2).copied("1", true).wait(6*s).copied("1", false), "(3)"},
		"never given back":              {begin().pod("direct").credential("1", "deleting").copied("1", true).credential("1", "gone").wait(9*s).credential("2", "made"), "(3)"},
		"the pod did not wait for it":   {begin().pod("direct").copied("1", true).wait(4*s).pod("gone").wait(9*s).credential("2", "made"), ""},
		"stored after the deletion":     {begin().credential("1", "deleting").copied("1", true).pod("direct").wait(6*s).credential("1", "gone"), "(3)"},
		"the finalizer went first":      {begin().credential("1", "deleting").copied("1", true).pod("direct").wait(4*s).credential("1", "gone").wait(9 * s).pod("gone"), ""},
		"stored when all was over":      {begin().copied("1", true).credential("1", "gone").pod("direct").wait(9 * s).pod("gone"), ""},
		"injected after the deletion":   {begin().credential("1", "deleting").copied("1", true).pod("injected"), "(2)"},
		"injected when all was over":    {begin().copied("1", true).credential("1", "gone").pod("injected"), "(2)"},
		"injected before the copy":      {begin().copied("1", true).credential("1", "gone").credential("2", "made").pod("injected").wait(9*s).copied("2", false).pod("gone"), ""},
		"the copy does not come":        {begin().copied("1", true).credential("1", "gone").credential("2", "made").pod("injected").wait(11*s).copied("2", false), "(2)"},
		"watches that are out of order": {func() *tale {
			t := begin().pod("injected").pod("gone").copied("1", true)
			t.log[2], t.log[4] = t.log[4], t.log[2]
			return t
		}(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := check(story{log: test.log.log}, usual)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], test.want)) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestCheckRefusals(t *testing.T) {
	const s = time.Second
	start := time.Unix(1e9, 0)
	used := (&tale{now: start}).workload(false).wait(2 * s).pod("direct").wait(s).workload(true).wait(s).pod("gone").wait(s)
	for name, test := range map[string]struct {
		after time.Duration
		fine  bool
	}{
		"before":           {-s, false},
		"at the beginning": {s / 10, true},
		"while":            {3 * s, true},
		"a moment ago":     {5 * s, true},
		"long ago":         {8 * s, false},
	} {
		t.Run(name, func(t *testing.T) {
			at := start.Add(test.after)
			got := check(story{log: used.log, refusals: []refusal{{secret: "s", from: at, to: at.Add(s / 10)}}}, usual)
			if (len(got) == 0) != test.fine {
				t.Errorf("%v", got)
			}
			if got := check(story{log: used.log, refusals: []refusal{{secret: "other", from: at, to: at}}}, usual); len(got) != 1 || !strings.HasPrefix(got[0], "(4)") {
				t.Errorf("of another: %v", got)
			}
		})
	}
}

// TestOutages: what is promised within a time is due when a controller has had that
// much of it; what is promised always is so without one, too.
func TestOutages(t *testing.T) {
	const s = time.Second
	start := time.Unix(1e9, 0)
	begin := func() *tale {
		return (&tale{now: start}).credential("1", "made").copied("1", false)
	}
	for name, test := range map[string]struct {
		log     *tale
		outages []span // in seconds since the start
		refused time.Duration
		want    string
	}{
		"given back late, for nobody was there":  {begin().pod("direct").copied("1", true).wait(8*s).copied("1", false), []span{since(start, 2, 6)}, 0, ""},
		"given back later than that":             {begin().pod("direct").copied("1", true).wait(10*s).copied("1", false), []span{since(start, 2, 6)}, 0, "(3)"},
		"two outages":                            {begin().pod("direct").copied("1", true).wait(10*s).copied("1", false), []span{since(start, -9, 3), since(start, 4, 7)}, 0, ""},
		"none at that time":                      {begin().pod("direct").copied("1", true).wait(6*s).copied("1", false), []span{since(start, -9, -2), since(start, 6, 9)}, 0, "(3)"},
		"deleted while nobody was there":         {begin().pod("direct").wait(2*s).copied("1", true), []span{since(start, 1, 9)}, 0, "(1)"},
		"the user went before they were counted": {begin().pod("direct").wait(s).pod("gone"), []span{since(start, 2, 8)}, 9 * s, ""},
		"the user went long before":              {begin().pod("direct").wait(s).pod("gone"), []span{since(start, 2, 8)}, 12 * s, "(4)"},
	} {
		t.Run(name, func(t *testing.T) {
			told := story{log: test.log.log, outages: test.outages}
			if test.refused > 0 {
				told.refusals = []refusal{{secret: "s", from: start.Add(test.refused), to: start.Add(test.refused)}}
			}
			got := check(told, usual)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], test.want)) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func since(start time.Time, from, to int) span {
	return span{start.Add(time.Duration(from) * time.Second), start.Add(time.Duration(to) * time.Second)}
}
