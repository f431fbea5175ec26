// SPDX-License-Identifier: Apache-2.0

package race

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kinds of objects in the log.
const (
	aPod        = "Pod"
	aCopy       = "copy"
	aCredential = "Credential"
	aWorkload   = "workload"
)

// event is what a watch told of one object: as it is from a revision on.
type event struct {
	at       time.Time
	revision uint64 // of the whole store, so that events of all kinds have one order
	kind     string

	namespace, name, uid string
	// gone says that the object was removed; of a pod, also that it runs no more.
	gone bool
	// refers are the names of the Secrets that a pod reads or a workload would.
	refers []string
	// injected is a pod that we injected.
	injected bool
	// owner is the UID of a copy's credential.
	owner string
	// secret is the name of a credential's copies, deleting that it is on its way out,
	// and onDemand that it has copies only where it is used.
	secret             string
	deleting, onDemand bool
}

// refusal is a deletion of a credential that was refused, and when that was asked for
// and answered.
type refusal struct {
	secret   string
	from, to time.Time
	answer   string
}

// limits are how long things may take.
type limits struct {
	// moment is how much earlier than a deletion a pod may be stored that the last list
	// of pods did not show.
	moment time.Duration
	// back is within which time a pod that names the Secret itself gets a copy back.
	back time.Duration
	// pending is within which time a pod gets a copy that was still to be made.
	pending time.Duration
	// past is how long ago the user may have been that a refusal is about.
	past time.Duration
}

// check holds a story against what is promised:
//
//	(1) no copy is deleted while a stored live pod refers to it,
//	(2) a pod injected by us never loses its copy,
//	(3) a pod that names the Secret itself and is stored in the moment of the deletion,
//	    or after it while the finalizer is there, gets it back,
//	(4) a refused deletion had a user.
//
// It returns what does not hold, in words.
func check(s story, allowed limits) []string {
	log := slices.Clone(s.log)
	slices.SortStableFunc(log, func(a, b event) int { return cmp.Compare(a.revision, b.revision) })
	w := walker{
		allowed: allowed, outages: s.outages, pods: map[string]*pod{}, copies: map[place]*copied{},
		credentials: map[string]event{}, users: map[string]map[string]bool{}, used: map[string][]span{},
	}
	for _, e := range log {
		if e.at.Before(w.now) {
			e.at = w.now // two watches are not read at the same pace
		}
		w.now = e.at
		w.collect()
		w.take(e)
	}
	for _, r := range s.refusals {
		if !w.hadUser(r) {
			w.complain("(4) at %s the deletion of the credential of %s was refused, and nothing used it since %s before: %s",
				stamp(r.to), r.secret, allowed.past, r.answer)
		}
	}
	return w.wrong
}

func stamp(at time.Time) string { return at.UTC().Format("15:04:05.000") }

// place is where a copy is.
type place struct{ namespace, name string }

func (p place) String() string { return p.namespace + "/" + p.name }

// pod is a live one.
type pod struct {
	event
	stored time.Time
}

// copied is what is known of the copies at one place.
type copied struct {
	there bool
	owner string // of the last one
}

// span is a time in which something was so. A zero end is that it still is.
type span struct{ from, to time.Time }

// debt is a copy that is to be there soon.
type debt struct {
	at  place
	pod string
	due time.Time
	// must says that nothing excuses it but the end of the pod: otherwise it ends with
	// the credential.
	must bool
	what string
}

// walker goes through a log.
type walker struct {
	allowed limits
	outages []span
	now     time.Time
	wrong   []string

	pods        map[string]*pod // by UID
	copies      map[place]*copied
	credentials map[string]event // the last of each, by the name of its copies
	debts       []debt
	// users are those of each Secret's name, by UID, and used when there was one.
	users map[string]map[string]bool
	used  map[string][]span
}

func (w *walker) complain(format string, about ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, about...))
}

func (w *walker) copyAt(at place) *copied {
	if w.copies[at] == nil {
		w.copies[at] = &copied{}
	}
	return w.copies[at]
}

func (w *walker) take(e event) {
	switch e.kind {
	case aCredential:
		w.credentials[e.secret] = e
		if e.gone {
			w.debts = slices.DeleteFunc(w.debts, func(d debt) bool { return d.at.name == e.secret && !d.must })
		}
	case aCopy:
		at := place{e.namespace, e.name}
		if e.gone {
			w.copyAt(at).there = false
			w.deleted(at, e)
			return
		}
		*w.copyAt(at) = copied{there: true, owner: e.owner}
		w.debts = slices.DeleteFunc(w.debts, func(d debt) bool { return d.at == at })
	case aPod:
		w.use(e)
		w.takePod(e)
	case aWorkload:
		w.use(e)
	}
}

// deleted holds the deletion of a copy against the pods that there are.
func (w *walker) deleted(at place, e event) {
	for _, p := range w.pods {
		if p.namespace != at.namespace || !slices.Contains(p.refers, at.name) {
			continue
		}
		age := e.at.Sub(p.stored)
		switch {
		case p.injected:
			w.complain("(2) at %s the copy %s was deleted under pod %s, which was injected %s before", stamp(e.at), at, p.name, age)
		case age > w.allowed.moment:
			w.complain("(1) at %s the copy %s was deleted under pod %s, which was stored %s before", stamp(e.at), at, p.name, age)
		default:
			w.owe(debt{at: at, pod: p.uid, due: w.after(e.at, w.allowed.back), must: true, what: "(3) was deleted in the moment in which it was stored"})
		}
	}
}

func (w *walker) takePod(e event) {
	known := w.pods[e.uid]
	switch {
	case e.gone:
		delete(w.pods, e.uid)
		w.debts = slices.DeleteFunc(w.debts, func(d debt) bool { return d.pod == e.uid })
		return
	case known != nil:
		return
	}
	w.pods[e.uid] = &pod{event: e, stored: e.at}
	for _, name := range e.refers {
		w.stored(e, place{e.namespace, name})
	}
}

// stored holds a new pod against the copy that it refers to.
func (w *walker) stored(e event, at place) {
	c, there := w.credentials[at.name], w.copyAt(at)
	// had says that this credential had a copy here, and not only one of its name before.
	had := there.owner != "" && there.owner == c.uid
	ending := c.gone || c.deleting
	switch {
	case there.there:
	case e.injected:
		w.storedInjected(e, at, had, ending)
	case had && ending && !c.gone:
		w.owe(debt{at: at, pod: e.uid, due: w.after(e.at, w.allowed.back), what: "(3) was deleted before"})
	}
}

func (w *walker) storedInjected(e event, at place, had, ending bool) {
	switch {
	case had && ending:
		w.complain("(2) at %s pod %s/%s was injected, and its copy %s was deleted before", stamp(e.at), e.namespace, e.name, at)
	case !ending:
		w.owe(debt{at: at, pod: e.uid, due: w.after(e.at, w.allowed.pending), what: "(2) has not come"})
	}
}

func (w *walker) owe(d debt) { w.debts = append(w.debts, d) }

// collect complains about what is overdue.
func (w *walker) collect() {
	w.debts = slices.DeleteFunc(w.debts, func(d debt) bool {
		if !d.due.Before(w.now) {
			return false
		}
		w.complain("%s: the copy %s, to which pod %s refers, was due at %s", d.what, d.at, w.pods[d.pod].name, stamp(d.due))
		return true
	})
}

// use takes down when Secrets' names have users.
func (w *walker) use(e event) {
	for _, name := range e.refers {
		users := w.users[name]
		if users == nil {
			users = map[string]bool{}
			w.users[name] = users
		}
		before := len(users)
		if e.gone {
			delete(users, e.uid)
		} else {
			users[e.uid] = true
		}
		switch spans := w.used[name]; {
		case before == 0 && len(users) > 0:
			w.used[name] = append(spans, span{from: e.at})
		case before > 0 && len(users) == 0:
			spans[len(spans)-1].to = e.at
		}
	}
}

// hadUser says whether anything used a credential when its deletion was refused, or a
// short time before.
func (w *walker) hadUser(r refusal) bool {
	earliest := w.before(r.from, w.allowed.past)
	return slices.ContainsFunc(w.used[r.secret], func(s span) bool {
		return s.from.Before(r.to) && (s.to.IsZero() || s.to.After(earliest))
	})
}
