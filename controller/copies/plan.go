// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Action is what is to be done about one copy.
type Action string

// The actions.
const (
	// Keep: the copy is as it is to be, or nothing can be done about it now.
	Keep Action = "keep"
	// Create: there is none.
	Create Action = "create"
	// Rewrite: its values are not ours or not the source's, or it belongs to a
	// credential of this name that is gone.
	Rewrite Action = "rewrite"
	// Remove: it is not to be there.
	Remove Action = "remove"
	// Wait: a copy of another credential has its name. Its going is an event, so
	// nothing needs to be asked for.
	Wait Action = "wait"
	// settle: it was removed, and it is not certain yet that no pod needs it.
	settle Action = "settle"
)

// Step is one namespace's part of a plan.
type Step struct {
	Action    Action
	Namespace string
	// Copy is the one that is there; zero for Create.
	Copy Copy
	// AtOnce has a copy removed although somebody may need it: its users are to lose
	// it.
	AtOnce bool
}

// target is the Secret that a step is about.
func (s Step) target(wanted Wanted) types.NamespacedName {
	if s.Action == Remove || s.Action == settle {
		return s.Copy.NamespacedName
	}
	return types.NamespacedName{Namespace: s.Namespace, Name: wanted.Name}
}

// Situation is what a plan is made for.
type Situation struct {
	Wanted Wanted
	// Desired are the namespaces that are to have a copy.
	Desired []string
	// Retained are namespaces whose copy is left alone, be it there or not: they
	// are being deleted, and it goes with them.
	Retained []string
	// Existing are all copies of the credential, wherever they are, and those of a
	// gone one of the same name that are now this one's to keep or remove.
	Existing []Copy
	// Others are the copies of other credentials that have the same name. They are
	// waited for.
	Others []Copy
}

// Plan compares what is desired with what is there. It has one step for every
// desired namespace and every copy that is not to be there, sorted by namespace.
func Plan(s Situation) []Step {
	missing, retained := set(s.Desired), set(s.Retained)
	steps := make([]Step, 0, len(s.Desired))
	for _, existing := range s.Existing {
		step := Step{Action: Remove, Namespace: existing.Namespace, Copy: existing}
		switch named := existing.Name == s.Wanted.Name; {
		case named && retained[existing.Namespace]:
			continue
		case named && missing[existing.Namespace]:
			step.Action = s.Wanted.refresh(existing)
			delete(missing, existing.Namespace)
		}
		steps = append(steps, step)
	}
	for _, other := range s.Others {
		if missing[other.Namespace] {
			steps = append(steps, Step{Action: Wait, Namespace: other.Namespace, Copy: other})
			delete(missing, other.Namespace)
		}
	}
	for namespace := range missing {
		steps = append(steps, Step{Action: s.Wanted.create(), Namespace: namespace})
	}
	slices.SortFunc(steps, func(a, b Step) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Copy.Name, b.Copy.Name))
	})
	return steps
}

func (w Wanted) refresh(existing Copy) Action {
	if w.values != nil && (existing.CredentialUID != w.UID || existing.Fingerprint != w.Fingerprint || existing.Edited) {
		return Rewrite
	}
	return Keep
}

func (w Wanted) create() Action {
	if w.values != nil {
		return Create
	}
	return Keep
}

func set(names []string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}
