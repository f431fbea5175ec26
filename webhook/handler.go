// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxBody is the size of the largest review that is read, in bytes. It is
	// controller-runtime's limit; an API server takes objects of 3 MiB.
	maxBody = 7 << 20
	// largeBody is more than almost every pod takes. Reviews that are larger are read
	// and decided largeAtOnce at a time, so that somebody with many huge pods does not
	// use up the memory of the process.
	largeBody   = 256 << 10
	largeAtOnce = 2
	largeTime   = 5 * time.Second // that an API server waits for the answer
)

// admitter decides one request.
type admitter interface {
	admit(ctx context.Context, request *request) (response, outcome)
}

// handler serves one entry: it reads a review, asks, and answers. It is an
// http.Handler of its own, because decoding the review into typed objects is most
// of what controller-runtime's costs.
type handler struct {
	entry     string
	decide    admitter
	decisions map[outcome]prometheus.Counter
	large     chan struct{} // has room for the large reviews under way
	log       logr.Logger
}

// exchange is the memory of one request and its response.
type exchange struct {
	body          bytes.Buffer
	patch, answer []byte
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// done gives the memory to the next request, unless it became large.
func (e *exchange) done() {
	if max(e.body.Cap(), cap(e.patch), cap(e.answer)) > largeBody {
		return
	}
	e.body.Reset()
	exchanges.Put(e)
}

// ServeHTTP answers a review. What is no review is answered by HTTP status, which
// the API server takes for a webhook that failed: the failure policy decides then.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if problem := checkHeader(r); problem != nil {
		h.fail(w, outcomeError, problem)
		return
	}
	if r.ContentLength < 0 || r.ContentLength > largeBody {
		select {
		case h.large <- struct{}{}:
			defer func() { <-h.large }()
		case <-r.Context().Done():
			return // there is nobody to answer
		}
		// No client keeps the room for long. An error says that there is no connection.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(largeTime))
	}
	memory := exchanges.Get().(*exchange)
	defer memory.done()
	if problem := readBody(w, r, &memory.body); problem != nil {
		h.fail(w, outcomeError, problem)
		return
	}
	if failed, problem := h.review(r.Context(), memory); problem != nil {
		h.fail(w, failed, problem)
		return
	}
	write(w, http.StatusOK, memory.answer)
}

func checkHeader(r *http.Request) *metav1.Status {
	if r.Method != http.MethodPost {
		return failure(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "only POST is served here")
	}
	if media := r.Header.Get("Content-Type"); media != "application/json" {
		if parsed, _, err := mime.ParseMediaType(media); err != nil || parsed != "application/json" {
			return failure(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, "the content type must be application/json")
		}
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) *metav1.Status {
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return failure(http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			fmt.Sprintf("the AdmissionReview is larger than %d bytes", maxBody))
	case err != nil:
		return failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, "the body could not be read")
	}
	return nil
}

// review answers the request in memory there. A panic fails this one request: the
// failure policy decides about it, as if nobody had answered.
func (h *handler) review(ctx context.Context, memory *exchange) (failed outcome, problem *metav1.Status) {
	var request *request
	defer func() {
		if r := recover(); r != nil {
			h.logPanic(request, &panicError{r})
			failed, problem = outcomePanic, failure(http.StatusInternalServerError, metav1.StatusReasonInternalError,
				"credence could not decide because of an error of its own, which is in its log")
		}
	}()
	request, err := decodeReview(memory.body.Bytes())
	if request == nil {
		return outcomeError, failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
	}
	response, result := h.answer(ctx, request, err)
	if err := response.write(memory, request.UID); err != nil {
		return outcomeError, failure(http.StatusInternalServerError, metav1.StatusReasonInternalError, "the response could not be written")
	}
	h.decisions[result].Inc()
	h.logDecision(request, &response, result)
	return "", nil
}

func (h *handler) answer(ctx context.Context, request *request, decoding error) (response, outcome) {
	switch {
	case !request.isPodCreation():
		// Such reviews come only by a configuration that is not ours. To refuse them could
		// keep pods from being bound to a node, or from losing their finalizers.
		return response{warnings: []string{fmt.Sprintf("credence is asked about %s of %q, but injects only at CREATE of pods; correct the webhook configuration",
			shortened(request.Operation), shortened(request.what()))}}, outcomeError
	case decoding != nil:
		return malformed(decoding), outcomeRefused
	case request.Object == nil:
		return malformed(errNoPod), outcomeRefused
	}
	if err := request.Object.Validate(); err != nil {
		return malformed(err), outcomeRefused
	}
	return h.decide.admit(ctx, request)
}

// fail answers with a Status, whose message API servers pass on.
func (h *handler) fail(w http.ResponseWriter, failed outcome, problem *metav1.Status) {
	h.decisions[failed].Inc()
	if problem.Code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	text, err := json.Marshal(problem)
	if err != nil {
		text = nil // the code says it, too
	}
	write(w, int(problem.Code), text)
}

// write sends a response in one piece.
func write(w http.ResponseWriter, code int, text []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // a client that is gone has nobody to tell
}
