// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/credence-dev/credence/e2e/local"
)

// asked is what the service accounts asked for.
type asked struct {
	// allowed are the rights that were needed, and refused the requests that there was
	// no right to, by account.
	allowed, refused map[string]map[right]bool
}

// readAudit reads what was asked for up to now.
func readAudit(t *testing.T) asked {
	t.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := asked{map[string]map[right]bool{}, map[string]map[right]bool{}}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if json.Unmarshal(lines.Bytes(), &event) == nil { // the last may be half written
			all.add(&event)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// add adds a request for a resource. Others are for what everybody may see.
func (a asked) add(event *auditv1.Event) {
	user := event.User.Username
	if event.ImpersonatedUser != nil {
		user = event.ImpersonatedUser.Username
	}
	account, ours := strings.CutPrefix(user, "system:serviceaccount:"+local.InstallNamespace+":")
	object := event.ObjectRef
	if !ours || object == nil {
		return
	}
	request := right{object.Namespace, object.APIGroup, object.Resource, object.Name, event.Verb}
	if object.Subresource != "" {
		request.resource += "/" + object.Subresource
	}
	to := a.allowed
	if event.Annotations["authorization.k8s.io/decision"] == "forbid" {
		to = a.refused
	}
	if to[account] == nil {
		to[account] = map[right]bool{}
	}
	to[account][request] = true
}
