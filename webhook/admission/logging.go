// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unicode/utf8"
)

// maxLogged bounds what is logged of a name. A pod is not validated before it comes
// here: its names may be of any length.
const maxLogged = 300

// logDecision writes one line. Names only: neither the pod, nor what its annotations
// say, nor a patch is ever logged. The message of a refusal repeats what somebody
// wrote, which might have been a secret.
func (h *handler) logDecision(asked Inquiry, response *Response, result Outcome) {
	switch {
	case response.Refusal != nil && response.Field != "":
		h.log.Info("refused", h.fields(asked, "outcome", string(result), "field", response.Field)...)
	case response.Refusal != nil:
		h.log.Info("refused", h.fields(asked, "outcome", string(result), "annotation", Shortened(response.Annotation))...)
	case result == OutcomeInjected:
		h.log.Info("injected", h.fields(asked, response.Logged...)...)
	case result == OutcomeStamped, result == OutcomeCarried:
		h.log.Info(string(result), h.fields(asked)...)
	case result == OutcomeUnchanged:
		if log := h.log.V(1); log.Enabled() {
			log.Info("admitted unchanged", h.fields(asked)...)
		}
	default:
		h.log.Info("admitted unchanged", h.fields(asked, "outcome", string(result))...)
	}
}

// logPanic tells where it happened.
func (h *handler) logPanic(asked Inquiry, err error) {
	h.log.Error(err, "panic while deciding", h.fields(asked, "stack", string(debug.Stack()))...)
}

func (h *handler) fields(asked Inquiry, more ...any) []any {
	if asked == nil {
		return append(more, "entry", h.entry)
	}
	request := asked.Header()
	key, name := asked.Subject()
	return append(more, "entry", h.entry, "namespace", Shortened(request.Namespace),
		key, Shortened(name), "requestID", Shortened(request.UID))
}

// Shortened cuts what is longer than a name.
func Shortened(name string) string {
	if len(name) <= maxLogged {
		return name
	}
	end := maxLogged
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

// PanicError says what a panic was without what was being worked on: only the
// runtime's own errors are known to hold nothing of a pod.
type PanicError struct{ Recovered any }

// Error implements error.
func (p *PanicError) Error() string {
	if err, ok := p.Recovered.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic of type %T", p.Recovered)
}
