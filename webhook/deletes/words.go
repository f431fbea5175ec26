// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"fmt"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/usage"
)

// maxNames bounds how many users a refusal names. The status names more.
const maxNames = 5

// inUse is what is said of an object that cannot go. The policy of the chart says it
// in the same words.
//
// It names workloads of all projects that the object covers. Who asks may delete it,
// which for more than a project is a right of its own, and reads the same in its
// status.
func inUse(kind asset.Kind, name string, used *v1alpha1.UsedBy) string {
	names := strings.Join(used.Names[:min(len(used.Names), maxNames)], ", ")
	if int(used.Total) > min(len(used.Names), maxNames) {
		names += ", … "
	}
	return fmt.Sprintf("%s %q is used by %s: %s; detach it there first", kind.Word(), name, usage.Numbers(used), names)
}

// automatic is what is said of a login that only serves as an automatic pull secret.
func automatic(name string, used *v1alpha1.UsedBy) string {
	return fmt.Sprintf("credential %q is the automatic pull secret of %s; new pods there pull their images without it",
		name, usage.Numbers(&v1alpha1.UsedBy{Workloads: used.Automatic}))
}

// unknown is said while it is not known who uses what, or the object is too new.
func unknown(kind asset.Kind, name string) string {
	return fmt.Sprintf("who uses the %s %q is not known yet, so it goes by what its status says", kind.Word(), name)
}
