// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/words"
)

// Numbers says how many users of each kind there are, such as "2 workloads and 1
// template". The policy of the chart that refuses deletes says it in the same words.
func Numbers(used *v1alpha1.UsedBy) string {
	var parts []string
	for _, part := range []struct {
		count int32
		what  string
	}{
		{used.Workloads, "workload"}, {used.Templates, "template"}, {used.Environments, "environment"}, {used.DataSources, "data source"},
	} {
		switch part.count {
		case 0:
		case MaxCounted: // it may not have been counted any further
			parts = append(parts, fmt.Sprintf("%d or more %ss", part.count, part.what))
		default:
			parts = append(parts, words.Plural(int(part.count), part.what))
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}
