// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteJSON writes a report as JSON: an object with the list of findings.
func (r *Report) WriteJSON(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// WriteTable writes a report for people, a line for each finding, with what became of
// it if anybody tried to put it right.
func (r *Report) WriteTable(to io.Writer) error {
	if len(r.Findings) == 0 {
		_, err := fmt.Fprintln(to, "Nothing found.")
		return err
	}
	table := tabwriter.NewWriter(to, 0, 8, 3, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tWORKLOAD\tFINDING\tMESSAGE")
	for i := range r.Findings {
		f := &r.Findings[i]
		message := f.Message
		if f.Repair != "" {
			message += " (" + string(f.Repair) + ")"
		}
		fmt.Fprintf(table, "%s\t%s/%s\t%s\t%s\n", f.Workload.Namespace, f.Workload.Kind, f.Workload.Name, f.Kind, message)
	}
	return table.Flush()
}
