// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"sync"

	"github.com/go-logr/logr"
)

// maxBody is the size of the largest review that is read, in bytes. It is
// controller-runtime's limit; an API server takes objects of 3 MiB.
const maxBody = 7 << 20

// admitter decides one request.
type admitter interface {
	admit(ctx context.Context, request *request) (response, outcome)
}

// handler serves one entry: it reads a review, asks, and answers. It is an
// http.Handler of its own, because decoding the review into typed objects is most
// of what controller-runtime's costs.
type handler struct {
	entry   string
	decide  admitter
	metrics *metrics
	log     logr.Logger
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ServeHTTP answers a review. What is no review is answered by HTTP status alone,
// in one sentence; the API server reports that as a webhook that failed.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.fail(w, http.StatusMethodNotAllowed, "only POST is served here")
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		h.fail(w, http.StatusUnsupportedMediaType, "the content type must be application/json")
		return
	}
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		body.Reset()
		bodies.Put(body)
	}()
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			h.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the AdmissionReview is larger than %d bytes", maxBody))
			return
		}
		h.fail(w, http.StatusBadRequest, "the body could not be read")
		return
	}
	request, err := decodeReview(body.Bytes())
	if request == nil {
		h.fail(w, http.StatusBadRequest, err.Error())
		return
	}
	response, result := h.answer(r.Context(), request, err)
	h.metrics.decided(h.entry, result)
	h.logDecision(request, &response, result)
	text, err := response.append(make([]byte, 0, 512+2*len(response.patch)), request.UID)
	if err != nil {
		h.fail(w, http.StatusInternalServerError, "the response could not be written")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that is gone has nobody to tell
}

func (h *handler) answer(ctx context.Context, request *request, decoding error) (response, outcome) {
	switch {
	case !request.isPodCreation():
		return invalid(fmt.Sprintf("this entry is for the creation of pods, not for %s of %s", request.Operation, request.Resource.Resource)), outcomeError
	case decoding != nil:
		return refused(http.StatusBadRequest, "BadRequest", decoding.Error()), outcomeRefused
	case request.Object == nil || request.Object.Validate() != nil:
		return refused(http.StatusBadRequest, "BadRequest", "the object of the review is not a pod"), outcomeRefused
	}
	return h.decide.admit(ctx, request)
}

// fail answers what is not a review.
func (h *handler) fail(w http.ResponseWriter, code int, sentence string) {
	h.metrics.decided(h.entry, outcomeError)
	http.Error(w, sentence, code)
}

// logDecision writes one line. Names only: neither the pod nor a patch is ever
// logged.
func (h *handler) logDecision(request *request, response *response, result outcome) {
	workload := request.Object.WorkloadName()
	if response.refusal != nil {
		h.log.Info("refused", "entry", h.entry, "namespace", request.Namespace, "workload", workload,
			"requestID", request.UID, "outcome", result, "reason", response.refusal.Message)
		return
	}
	if result == outcomeUnchanged {
		h.log.V(1).Info("admitted unchanged", "entry", h.entry, "namespace", request.Namespace, "workload", workload, "requestID", request.UID)
		return
	}
	h.log.Info("injected", "entry", h.entry, "namespace", request.Namespace, "workload", workload,
		"requestID", request.UID, "credentials", len(response.audit))
}
