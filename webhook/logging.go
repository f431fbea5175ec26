// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLogged bounds what is logged of a name. A pod is not validated before it comes
// here: its names may be of any length.
const maxLogged = 300

// logDecision writes one line. Names only: neither the pod, nor what its annotations
// say, nor a patch is ever logged. The message of a refusal repeats what somebody
// wrote, which might have been a secret.
func (h *handler) logDecision(request *request, response *response, result outcome) {
	switch {
	case response.refusal != nil:
		h.log.Info("refused", h.fields(request, "outcome", string(result), "annotation", shortened(response.annotation))...)
	case result == outcomeInjected:
		h.log.Info("injected", h.fields(request, "credential", response.credentials())...)
	case result == outcomeUnchanged:
		if log := h.log.V(1); log.Enabled() {
			log.Info("admitted unchanged", h.fields(request)...)
		}
	default:
		h.log.Info("admitted unchanged", h.fields(request, "outcome", string(result))...)
	}
}

// logPanic tells where it happened.
func (h *handler) logPanic(request *request, err error) {
	h.log.Error(err, "panic while deciding", h.fields(request, "stack", string(debug.Stack()))...)
}

func (h *handler) fields(request *request, more ...any) []any {
	if request == nil {
		return append(more, "entry", h.entry)
	}
	return append(more, "entry", h.entry, "namespace", shortened(request.Namespace),
		"workload", shortened(request.Object.WorkloadName()), "requestID", shortened(request.UID))
}

// shortened cuts what is longer than a name.
func shortened(name string) string {
	if len(name) <= maxLogged {
		return name
	}
	end := maxLogged
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

// panicError says what a panic was without what was being worked on: only the
// runtime's own errors are known to hold nothing of a pod.
type panicError struct{ recovered any }

func (p *panicError) Error() string {
	if err, ok := p.recovered.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic of type %T", p.recovered)
}

// credentials names who was injected.
func (r *response) credentials() string {
	names := make([]string, 0, len(r.audit))
	for name := range r.audit {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}
