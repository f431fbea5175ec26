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
func (h *handler) logDecision(asked inquiry, response *response, result outcome) {
	switch {
	case response.refusal != nil && response.field != "":
		h.log.Info("refused", h.fields(asked, "outcome", string(result), "field", response.field)...)
	case response.refusal != nil:
		h.log.Info("refused", h.fields(asked, "outcome", string(result), "annotation", shortened(response.annotation))...)
	case result == outcomeInjected:
		h.log.Info("injected", h.fields(asked, "credential", response.credentials())...)
	case result == outcomeStamped:
		h.log.Info("stamped", h.fields(asked)...)
	case result == outcomeUnchanged:
		if log := h.log.V(1); log.Enabled() {
			log.Info("admitted unchanged", h.fields(asked)...)
		}
	default:
		h.log.Info("admitted unchanged", h.fields(asked, "outcome", string(result))...)
	}
}

// logPanic tells where it happened.
func (h *handler) logPanic(asked inquiry, err error) {
	h.log.Error(err, "panic while deciding", h.fields(asked, "stack", string(debug.Stack()))...)
}

func (h *handler) fields(asked inquiry, more ...any) []any {
	if asked == nil {
		return append(more, "entry", h.entry)
	}
	request := asked.header()
	key, name := asked.subject()
	return append(more, "entry", h.entry, "namespace", shortened(request.Namespace),
		key, shortened(name), "requestID", shortened(request.UID))
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
