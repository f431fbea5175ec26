// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/webhook/admission"
)

// Limits of live reads. They are for what was created a moment ago. A flood of
// misspelt names must not become a flood on the API server: what was not there is
// remembered, but each name may be another, so reads are limited to so many at once
// and to so many a second (pace.go).
const (
	liveTimeout    = time.Second
	liveAbsentKept = 2 * time.Second
	liveAtOnce     = 20
	liveAbsentMax  = 4096 // questions remembered as answered with no
)

// liveReader reads what the caches do not know.
type liveReader struct {
	known  *catalog.Catalog
	reader client.Reader
	reads  *prometheus.CounterVec
	log    logr.Logger
	clock  clock.Clock

	flights singleflight.Group
	slots   *semaphore.Weighted
	pace    *pace
	absent  *utilcache.LRUExpireCache // of question
}

// question is what is asked from a place: for the object of a kind and name that is
// visible there, or with no name, whether it is a project.
//
// What is remembered is that the answer was no, and not why. If only objects that
// do not exist were remembered, one that exists and is not for this namespace
// would be read each time, and the time it takes would tell.
type question struct {
	from credential.Place
	kind asset.Kind
	name string
}

func newLiveReader(options Options) (*liveReader, error) {
	reads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "credence_admission_live_reads_total",
		Help: "Objects read from the API server because a cache did not know them, by outcome.",
	}, []string{"outcome"})
	if err := options.Registry.Register(reads); err != nil {
		return nil, err
	}
	return &liveReader{
		known: options.Catalog, reader: options.Live, reads: reads, log: options.Log, clock: options.Clock,
		slots:  semaphore.NewWeighted(liveAtOnce),
		pace:   newPace(options.Clock),
		absent: utilcache.NewLRUExpireCacheWithClock(liveAbsentMax, options.Clock),
	}, nil
}

// place reads what a namespace is, nil if it is no project.
func (l *liveReader) place(v *visit, namespace string) (*credential.Place, error) {
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return nil, nil // no API server has one of that name: nothing is to be read
	}
	asked := question{from: credential.Place{Namespace: namespace}}
	if _, absent := l.absent.Get(asked); absent {
		return nil, nil
	}
	object, err := l.get(v, types.NamespacedName{Name: namespace}, feed.Namespace())
	if err != nil {
		return nil, err
	}
	if object != nil {
		if place := l.known.Layout().Place(namespace, object.GetLabels()); place.IsProject() {
			return &place, nil
		}
	}
	l.absent.Add(asked, struct{}{}, liveAbsentKept)
	return nil, nil
}

// visible reads the object of a kind that a name means in a project, or inside an
// asset, nil if there is none: the narrowest of those that cover the project.
func (l *liveReader) visible(v *visit, from credential.Place, kind asset.Kind, name string) (client.Object, error) {
	asked := question{from, kind, name}
	if _, absent := l.absent.Get(asked); absent {
		return nil, nil
	}
	for _, namespace := range append([]string{from.Namespace}, l.known.Homes(from)...) {
		if namespace == "" { // inside an asset of more than one project
			continue
		}
		object, err := l.get(v, types.NamespacedName{Namespace: namespace, Name: name}, emptyOf(kind))
		if err != nil {
			return nil, err
		}
		if object == nil {
			continue
		}
		home := from
		if namespace != from.Namespace {
			home, _ = l.known.Place(namespace)
		}
		if credential.Covers(claimOf(object, home).Scope, home, from) {
			return object, nil
		}
	}
	l.absent.Add(asked, struct{}{}, liveAbsentKept)
	return nil, nil
}

// get reads one object, once for all who ask at the same time: they share it, and
// must not change it. It is nil if there is none.
func (l *liveReader) get(v *visit, key types.NamespacedName, empty client.Object) (client.Object, error) {
	if l.clock.Now().After(v.until) {
		return nil, errors.New("too late to begin reading")
	}
	if !v.mayWait() {
		l.count("busy")
		return nil, errBusy
	}
	// The read outlives the request that began it: others wait for it too.
	flight := fmt.Sprintf("%T %s %s", empty, empty.GetObjectKind().GroupVersionKind(), key)
	result := l.flights.DoChan(flight, func() (any, error) { return l.read(context.WithoutCancel(v.ctx), v.namespace, key, empty) })
	select {
	case <-v.ctx.Done():
		return nil, v.ctx.Err()
	case r := <-result:
		if r.Err != nil || r.Val == nil {
			return nil, r.Err
		}
		return r.Val.(client.Object), nil
	}
}

func (l *liveReader) count(outcome string) { l.reads.WithLabelValues(outcome).Inc() }

// read makes the API call, on behalf of a namespace. A panic is an error here: it
// would be in a goroutine of its own, and end the process.
func (l *liveReader) read(ctx context.Context, asking string, key types.NamespacedName, into client.Object) (found any, err error) {
	outcome := "error"
	defer func() {
		if r := recover(); r != nil {
			found, err = nil, &admission.PanicError{Recovered: r}
		}
		if err != nil {
			l.log.Info("live read failed", "kind", fmt.Sprintf("%T", into), "namespace", admission.Shortened(key.Namespace), "cause", cause(err))
		}
		l.count(outcome)
	}()
	if !l.pace.allows(asking) {
		outcome = "busy"
		return nil, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	if err := l.slots.Acquire(ctx, 1); err != nil {
		outcome = "busy"
		return nil, fmt.Errorf("%w: %w", errBusy, err)
	}
	defer l.slots.Release(1)
	switch err := l.reader.Get(ctx, key, into); {
	case apierrors.IsNotFound(err):
		outcome = "absent"
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	outcome = "found"
	return into, nil
}

var errBusy = errors.New("too many live reads are under way, or were just now")

// cause says why a read failed, without what was read: its name comes from a pod.
func cause(err error) string {
	var request *url.Error
	var panicked *admission.PanicError
	switch {
	case errors.Is(err, errBusy):
		return errBusy.Error()
	case apierrors.ReasonForError(err) != metav1.StatusReasonUnknown:
		return string(apierrors.ReasonForError(err))
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + liveTimeout.String()
	case errors.As(err, &request):
		return request.Err.Error()
	case errors.As(err, &panicked):
		return panicked.Error()
	}
	return "another error"
}
