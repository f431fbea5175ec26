// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeTimeout bounds one request. A namespace whose webhooks are slower than
// that has an issue.
const writeTimeout = 10 * time.Second

// Options are the parts of a Writer.
type Options struct {
	// Client writes, Reader reads live; Cache reads the informer on copies.
	Client client.Writer
	Reader client.Reader
	Cache  client.Reader
	Clock  clock.PassiveClock
	// Holders knows who needs a copy, and Drain is how long nobody must before it goes.
	Holders Holders
	Drain   time.Duration
	// Concurrency is how many requests may be under way, for all credentials
	// together.
	Concurrency int
	// RetryBase and RetryMax bound the back-off of a namespace.
	RetryBase, RetryMax time.Duration
}

// Writer makes, changes and removes copies. It is safe for concurrent use, but
// one credential must be spread by one caller at a time. A manager runs it, so that
// it ends with the leadership.
type Writer struct {
	Options
	backoff backoff
	// slots bound the requests under way. Namespaces that failed before get at most
	// a quarter of them, so that slow refusals never stall the others.
	slots, retries chan struct{}
	settled        settled
	late           late
	drain          drain
	owed           owed
	errands        errands
	writes         *prometheus.CounterVec
}

// NewWriter makes a Writer.
func NewWriter(options Options) *Writer {
	return &Writer{
		errands: newErrands(),
		Options: options,
		backoff: backoff{
			clock:    options.Clock,
			base:     options.RetryBase,
			max:      options.RetryMax,
			attempts: map[types.UID]map[types.NamespacedName]attempt{},
		},
		settled: settled{versions: map[types.UID]map[types.NamespacedName]version{}},
		late:    late{copies: map[types.UID][]Copy{}},
		drain: drain{
			holders: options.Holders,
			clock:   options.Clock,
			period:  options.Drain,
			copies:  map[types.UID]map[types.NamespacedName]*draining{},
		},
		owed:    newOwed(),
		slots:   make(chan struct{}, options.Concurrency),
		retries: make(chan struct{}, max(1, options.Concurrency/4)),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "credence_copy_writes_total",
			Help: "Writes of copies, by operation (create, update, delete, return, release) and outcome (success, or the reason of the API server).",
		}, []string{"operation", "outcome"}),
	}
}

// Start ends what is still under way when the context is done.
func (w *Writer) Start(ctx context.Context) error {
	<-ctx.Done()
	w.errands.stop()
	return nil
}

// Busy says whether a request is under way for a credential.
func (w *Writer) Busy(credential types.UID) bool { return w.errands.any(credential) }

// Collector has the metrics of the writer.
func (w *Writer) Collector() prometheus.Collector { return w.writes }

func (w *Writer) count(operation string, err error) {
	outcome := "success"
	if err != nil {
		// A closed set: reasons are chosen by webhooks too.
		switch reason := apierrors.ReasonForError(err); reason {
		case metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonConflict,
			metav1.StatusReasonNotFound, metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests:
			outcome = string(reason)
		default:
			outcome = "other"
		}
	}
	w.writes.WithLabelValues(operation, outcome).Inc()
}

// Late returns the copies of a credential that went after the report of the plan
// that they were removed by, once.
func (w *Writer) Late(credential types.UID) []Copy { return w.late.take(credential) }

// Owes says whether a copy of a credential was deleted of which it is not certain yet
// that no pod needs it.
func (w *Writer) Owes(credential types.UID) bool { return len(w.owed.all(credential)) > 0 }

// Recall returns what the copies of a credential were that is being deleted, if one
// went already and nobody filled in what they are to be.
func (w *Writer) Recall(credential types.UID) (Wanted, bool) { return w.owed.recall(credential) }

// Forget drops the values of a credential that may go.
func (w *Writer) Forget(credential types.UID) { w.owed.forget(credential) }

// ForgetOthers drops what is remembered of credentials other than those that there
// are.
func (w *Writer) ForgetOthers(existing sets.Set[types.UID]) {
	w.backoff.forgetOthers(existing)
	w.settled.forgetOthers(existing)
	w.late.forgetOthers(existing)
	w.drain.forgetOthers(existing)
	w.owed.forgetOthers(existing)
}
