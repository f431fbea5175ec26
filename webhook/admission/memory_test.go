// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// Memory that became large is not kept for the next review. A pool may forget what
// it is given, hence the many turns.
func TestLargeMemoryIsNotKept(t *testing.T) {
	const large = keptBuffer + 1
	for range 1000 {
		doneReading(bytes.NewBuffer(make([]byte, large)))
		(&exchange{patch: make([]byte, large)}).done()
		(&exchange{answer: make([]byte, large)}).done()
		if body := bodies.Get().(*bytes.Buffer); body.Cap() > keptBuffer {
			t.Fatalf("a buffer of %d bytes was kept for a body", body.Cap())
		}
		if e := exchanges.Get().(*exchange); max(cap(e.patch), cap(e.answer)) > keptBuffer {
			t.Fatalf("buffers of %d and %d bytes were kept for an answer", cap(e.patch), cap(e.answer))
		}
	}
}

// A body that is reused begins empty.
func TestMemoryIsEmptied(t *testing.T) {
	for range 100 {
		body := bodies.Get().(*bytes.Buffer)
		if body.Len() != 0 {
			t.Fatalf("a body begins with %q", body)
		}
		body.WriteString("of another tenant")
		doneReading(body)
	}
}

// Reviews that are being decided about are bounded, too, and who waits for a status
// is in nobody's way.
func TestRoomToDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms := newRooms()
		enter := func() *claim { return &claim{rooms: rooms, until: time.Now().Add(roomTime)} }
		const large = 2 << 20
		var inside []*claim
		for range decodedAtOnce / large {
			c := enter()
			if !c.decode(t.Context(), large, 0) {
				t.Fatal("no room although there is")
			}
			inside = append(inside, c)
		}
		begin, late := time.Now(), enter()
		if late.decode(t.Context(), large, 0) || time.Since(begin) != roomTime {
			t.Errorf("room after %v, although there was none", time.Since(begin))
		}
		for range 2 { // asked again, it stays where it is
			if !inside[0].park("team-a") {
				t.Error("no room to wait in")
			}
		}
		if late = enter(); !late.decode(t.Context(), large, 0) {
			t.Error("who waits keeps others from being decided about")
		}
		late.leave()
		for _, c := range inside {
			c.leave()
		}
		if !rooms.decoded.TryAcquire(decodedAtOnce) || rooms.waiting.all != (load{}) || len(rooms.waiting.of) != 0 {
			t.Errorf("room was not given back: %+v", &rooms.waiting)
		}
	})
}
