// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// What all reviews under way may hold together, so that nobody uses up the memory of
// the process by sending many at once: some 90 MiB, whatever they are. Reviews that
// are usual, of 10 KiB, come nowhere near.
const (
	// maxBody is the size of the largest review that is read, in bytes. It is
	// controller-runtime's limit; an API server takes objects of 3 MiB.
	maxBody = 7 << 20
	// largeBody is more than almost every pod takes. Reviews that are larger are read
	// largeAtOnce at a time, and do not keep small ones waiting.
	largeBody   = 256 << 10
	largeAtOnce = 2
	// smallBodies is for the bytes of the other reviews that are being read.
	smallBodies = 8 << 20

	// decodedAtOnce is for what is made of the reviews that are being decided about, in
	// bytes. It is estimated from above: from the size of the body, and for each object
	// in it objectCost, which is that of a container. maxObjects bounds the one review
	// that is nothing but objects.
	decodedAtOnce = 48 << 20
	objectCost    = 192
	maxObjects    = 50_000

	// What may wait for a status or a live read, seconds at a time: reviews, and bytes
	// as above. Many pods of one namespace leave room for the others.
	maxWaiting            = 1000
	maxWaitingBytes       = 16 << 20
	maxWaitingInNamespace = 200
	maxBytesInNamespace   = 4 << 20

	// roomTime is how long a review may take to find room and to come in. It is what an
	// API server waits for the answer.
	roomTime = 5 * time.Second
)

// rooms bound what reviews hold. A review goes from one to the next and holds its
// body no longer than until it is decoded. No review in a room waits for an earlier
// one, so they cannot block each other.
type rooms struct {
	large, small, decoded *semaphore.Weighted
	waiting               waitingRoom
}

func newRooms() *rooms {
	return &rooms{
		large: semaphore.NewWeighted(largeAtOnce), small: semaphore.NewWeighted(smallBodies),
		decoded: semaphore.NewWeighted(decodedAtOnce),
		waiting: waitingRoom{of: map[string]load{}},
	}
}

// claim is what one review holds of the rooms.
type claim struct {
	rooms *rooms
	until time.Time // it finds room before this, or none

	body      *semaphore.Weighted // the room that its body is in
	bodySize  int64
	decoded   int64 // bytes in the room for what is decoded
	parked    bool
	namespace string // where it waits, once it does
	waiting   int64  // bytes
}

// enter finds room for a body of that length, negative if it is not known.
func (c *claim) enter(ctx context.Context, length int64) bool {
	room, size := c.rooms.small, length
	if length < 0 || length > largeBody {
		room, size = c.rooms.large, 1
	}
	if !acquire(ctx, room, size, c.until) {
		return false
	}
	c.body, c.bodySize = room, size
	return true
}

// decode finds room for what a body becomes.
func (c *claim) decode(ctx context.Context, size, objects int) bool {
	cost := int64(size) + int64(objects)*objectCost
	if !acquire(ctx, c.rooms.decoded, cost, c.until) {
		return false
	}
	c.decoded = cost
	return true
}

// decodedBody gives the body's room back.
func (c *claim) decodedBody() {
	if c.body != nil {
		c.body.Release(c.bodySize)
		c.body = nil
	}
}

// park has the review wait where it is in nobody's way, and says whether there is
// room. It may be called again.
func (c *claim) park(namespace string) bool {
	if c.parked {
		return true
	}
	if !c.rooms.waiting.enter(namespace, c.decoded) {
		return false
	}
	c.parked, c.namespace, c.waiting = true, namespace, c.decoded
	c.rooms.decoded.Release(c.decoded)
	c.decoded = 0
	return true
}

// leave gives back whatever is held.
func (c *claim) leave() {
	c.decodedBody()
	c.rooms.decoded.Release(c.decoded)
	c.decoded = 0
	if c.parked {
		c.rooms.waiting.leave(c.namespace, c.waiting)
		c.parked = false
	}
}

// acquire waits for room. The context alone would not end that: HTTP/1.1 notices
// that a client is gone only when its body has been read.
func acquire(ctx context.Context, room *semaphore.Weighted, n int64, until time.Time) bool {
	if room.TryAcquire(n) {
		return true
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return room.Acquire(ctx, n) == nil
}

// objects counts the objects of a JSON document, from above: braces in strings
// count, too.
func objects(document []byte) int { return bytes.Count(document, []byte{'{'}) }

// waitingRoom counts those that wait. Nobody waits to get in.
type waitingRoom struct {
	mu  sync.Mutex
	all load
	of  map[string]load // by namespace
}

type load struct {
	reviews int
	bytes   int64
}

func (l load) with(bytes int64) load { return load{l.reviews + 1, l.bytes + bytes} }

func (w *waitingRoom) enter(namespace string, bytes int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, here := w.all.with(bytes), w.of[namespace].with(bytes)
	if all.reviews > maxWaiting || all.bytes > maxWaitingBytes ||
		here.reviews > maxWaitingInNamespace || here.bytes > maxBytesInNamespace {
		return false
	}
	w.all, w.of[namespace] = all, here
	return true
}

func (w *waitingRoom) leave(namespace string, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = load{w.all.reviews - 1, w.all.bytes - bytes}
	here := w.of[namespace]
	here = load{here.reviews - 1, here.bytes - bytes}
	if here.reviews == 0 {
		delete(w.of, namespace)
		return
	}
	w.of[namespace] = here
}
