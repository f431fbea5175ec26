// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/credence-dev/credence/e2e/local"
)

// requests are what the controller asked of the API server for one credential.
type requests struct {
	// copies are writes of its copies, statuses writes of itself, and reads those of its
	// source.
	copies, statuses, reads int
}

func (r requests) since(before requests) requests {
	return requests{r.copies - before.copies, r.statuses - before.statuses, r.reads - before.reads}
}

// asked reads it from the audit log.
func (s *store) asked() (all requests) {
	s.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		s.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if json.Unmarshal(lines.Bytes(), &event) == nil { // the last may be half written
			s.count(&event, &all)
		}
	}
	if err := lines.Err(); err != nil {
		s.Fatal(err)
	}
	return all
}

func (s *store) count(event *auditv1.Event, all *requests) {
	of := event.ObjectRef
	const controller = "system:serviceaccount:" + local.InstallNamespace + ":credence-controller"
	if of == nil || event.ImpersonatedUser == nil || event.ImpersonatedUser.Username != controller {
		return
	}
	writes := slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, event.Verb)
	switch {
	case of.Resource == "secrets" && of.Name == s.copyName() && writes:
		all.copies++
	case of.Resource == "credentials" && of.Name == s.name && writes:
		all.statuses++
	case of.Resource == "secrets" && of.Name == s.name && of.Namespace == system && !writes:
		all.reads++
	}
}
