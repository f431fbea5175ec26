// SPDX-License-Identifier: Apache-2.0

package admission

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

// keptBuffer is how large the memory of a review may be that is kept for the next.
// Few pods take more, and many large buffers would stay.
const keptBuffer = 64 << 10

// Inquiry is a request that was read and can be decided.
type Inquiry interface {
	// Header is what every request has.
	Header() *Request
	// Subject names what is asked about as logs do: by a key, and which it is.
	Subject() (key, name string)
	Decide(ctx context.Context) (Response, Outcome)
}

// Read reads the body of a review. The error is that it is none; it is the answer,
// and must not say what is in the body.
type Read func(review []byte) (Inquiry, error)

// Entries are those of one process. What the reviews of all of them hold together is
// bounded.
type Entries struct {
	decisions *prometheus.CounterVec
	rooms     *rooms
	log       logr.Logger
}

// NewEntries returns Entries that log one line for each decision, and registers
// their metrics. Where a process has several, they count together.
func NewEntries(registry prometheus.Registerer, log logr.Logger) (*Entries, error) {
	decisions := newDecisions()
	if err := registry.Register(decisions); err != nil {
		var before prometheus.AlreadyRegisteredError
		known, ok := (*prometheus.CounterVec)(nil), false
		if errors.As(err, &before) {
			known, ok = before.ExistingCollector.(*prometheus.CounterVec)
		}
		if !ok {
			return nil, err
		}
		decisions = known
	}
	return &Entries{decisions: decisions, rooms: newRooms(), log: log}, nil
}

// Handler serves one of the entries.
func (e *Entries) Handler(entry string, read Read) http.Handler {
	return &handler{entry: entry, read: read, decisions: countersOf(e.decisions, entry), rooms: e.rooms, log: e.log}
}

// handler serves one entry: it reads a review, asks, and answers.
type handler struct {
	entry     string
	read      Read
	decisions map[Outcome]prometheus.Counter
	rooms     *rooms // of all entries together
	log       logr.Logger
}

// exchange is the memory of one response.
type exchange struct {
	patch, answer []byte
}

var (
	exchanges = sync.Pool{New: func() any { return new(exchange) }}
	bodies    = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// done gives the memory to the next response, unless it became large.
func (e *exchange) done() {
	if max(cap(e.patch), cap(e.answer)) <= keptBuffer {
		exchanges.Put(e)
	}
}

// doneReading gives the memory to the next body, unless it became large.
func doneReading(body *bytes.Buffer) {
	if body.Cap() <= keptBuffer {
		body.Reset()
		bodies.Put(body)
	}
}

// problem is why there is no review to answer.
type problem struct {
	outcome Outcome
	status  *metav1.Status
}

// ServeHTTP answers a review. What is no review is answered by HTTP status, which
// the API server takes for a webhook that failed: the failure policy decides then.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := checkHeader(r); status != nil {
		h.fail(w, &problem{OutcomeError, status})
		return
	}
	claim := &claim{rooms: h.rooms, until: time.Now().Add(roomTime)}
	defer claim.leave()
	// No client keeps room for long. An error says that there is no connection.
	_ = http.NewResponseController(w).SetReadDeadline(claim.until)
	memory, failed := h.review(w, r, claim)
	if failed != nil {
		h.fail(w, failed)
		return
	}
	write(w, http.StatusOK, memory.answer)
	memory.done()
}

func checkHeader(r *http.Request) *metav1.Status {
	if r.Method != http.MethodPost {
		return Failure(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "only POST is served here")
	}
	if media := r.Header.Get("Content-Type"); media != "application/json" {
		if parsed, _, err := mime.ParseMediaType(media); err != nil || parsed != "application/json" {
			return Failure(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, "the content type must be application/json")
		}
	}
	return nil
}

// review reads a review and answers it, in memory. A panic fails this one request:
// the failure policy decides about it, as if nobody had answered.
func (h *handler) review(w http.ResponseWriter, r *http.Request, claim *claim) (memory *exchange, failed *problem) {
	var asked Inquiry
	defer func() {
		if r := recover(); r != nil {
			h.logPanic(asked, &PanicError{r})
			memory, failed = nil, &problem{OutcomePanic, Failure(http.StatusInternalServerError, metav1.StatusReasonInternalError,
				"credence could not decide because of an error of its own, which is in its log")}
		}
	}()
	asked, failed = h.receive(w, r, claim)
	if failed != nil {
		return nil, failed
	}
	response, result := asked.Decide(r.Context())
	memory = exchanges.Get().(*exchange)
	if err := response.write(memory, asked.Header().UID); err != nil {
		return nil, &problem{OutcomeError, Failure(http.StatusInternalServerError, metav1.StatusReasonInternalError, "the response could not be written")}
	}
	h.decisions[result].Inc()
	h.logDecision(asked, &response, result)
	return memory, nil
}

// receive reads and decodes a review. When it returns, the memory of the body is
// free: nothing that was decoded refers to it.
func (h *handler) receive(w http.ResponseWriter, r *http.Request, claim *claim) (Inquiry, *problem) {
	if !claim.enter(r.Context(), r.ContentLength) {
		return nil, busy()
	}
	defer claim.decodedBody()
	body := bodies.Get().(*bytes.Buffer)
	defer doneReading(body)
	if status := readBody(w, r, body); status != nil {
		return nil, &problem{OutcomeError, status}
	}
	objects := objects(body.Bytes())
	if objects > maxObjects {
		return nil, &problem{OutcomeError, Failure(http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			fmt.Sprintf("the AdmissionReview has more than %d objects in it", maxObjects))}
	}
	if !claim.decode(r.Context(), body.Len(), objects) {
		return nil, busy()
	}
	asked, err := h.read(body.Bytes())
	if err != nil {
		return nil, &problem{OutcomeError, Failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())}
	}
	asked.Header().claim = claim
	return asked, nil
}

func busy() *problem {
	return &problem{OutcomeNotReady, Failure(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable,
		"credence is busy with other reviews, try again")}
}

func readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) *metav1.Status {
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		into.Grow(int(r.ContentLength) + bytes.MinRead) // else it grows by doubling
	}
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return Failure(http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			fmt.Sprintf("the AdmissionReview is larger than %d bytes", maxBody))
	case err != nil:
		return Failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, "the body could not be read")
	}
	return nil
}

// fail answers with a Status, whose message API servers pass on.
func (h *handler) fail(w http.ResponseWriter, failed *problem) {
	h.decisions[failed.outcome].Inc()
	if failed.status.Code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	text, err := json.Marshal(failed.status)
	if err != nil {
		text = nil // the code says it, too
	}
	write(w, int(failed.status.Code), text)
}

// write sends a response in one piece.
func write(w http.ResponseWriter, code int, text []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // a client that is gone has nobody to tell
}
