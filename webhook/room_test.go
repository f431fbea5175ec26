// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/webhook"
)

// crowd has pods ask for a credential that never becomes ready, n in each of the
// namespaces, and returns how many were kept waiting in each. The others must be told
// at once to try again. While they wait, during is called.
func crowd(t *testing.T, namespaces, n int, pod string, during func(*fixture)) map[string]int {
	t.Helper()
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil))
	for i := range namespaces {
		name := fmt.Sprintf("team-%d", i)
		f.know(project(name, ""), behind(generic(name, "openai", "")))
	}
	begin := time.Now()
	var (
		mu     sync.Mutex
		waited = map[string]int{}
		all    sync.WaitGroup
	)
	for i := range namespaces {
		namespace := fmt.Sprintf("team-%d", i)
		body := reviewOf(namespace, []byte(pod))
		for range n {
			all.Go(func() {
				answer := f.post(t.Context(), webhook.PathAnnotated, body)
				if answer.response == nil || answer.response.Result.Code != http.StatusServiceUnavailable || answer.message() != stillPreparing {
					t.Errorf("answer: %d %.300s", answer.code, answer.body)
				}
				mu.Lock()
				defer mu.Unlock()
				switch took := time.Since(begin); took {
				case 0:
				case 2 * time.Second:
					waited[namespace]++
				default:
					t.Errorf("took %v", took)
				}
			})
		}
	}
	synctest.Wait()
	if during != nil {
		during(f)
	}
	all.Wait()
	return waited
}

// A credential that is never ready, and many pods that ask for it, do not use up the
// memory of the process: so many wait and no more, and one namespace's leave room for
// the others'. Small pods are bounded by their number and large ones by their size.
func TestFewWait(t *testing.T) {
	// 250 KB of what an API server writes.
	variables := strings.TrimSuffix(strings.Repeat(`{"name":"VARIABLE_00000","value":"0123456789"},`, 5200), ",")
	large := fmt.Sprintf(`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{"containers":[{"name":"main","env":[%s]}]}}`, variables)
	for name, test := range map[string]struct {
		namespaces, pods int
		pod              string
		want             func(map[string]int) (got, want int)
	}{
		"small pods of a namespace": {1, 300, naming("openai"), func(w map[string]int) (int, int) { return w["team-0"], 200 }},
		"small pods of two":         {2, 300, naming("openai"), func(w map[string]int) (int, int) { return min(w["team-0"], w["team-1"]), 200 }},
		"small pods of many":        {10, 300, naming("openai"), func(w map[string]int) (int, int) { return sum(w), 1000 }},
		"large pods of a namespace": {1, 40, large, func(w map[string]int) (int, int) { return w["team-0"], 3 }},
		"large pods of many":        {20, 4, large, func(w map[string]int) (int, int) { return sum(w), 13 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got, want := test.want(crowd(t, test.namespaces, test.pods, test.pod, nil)); got != want {
					t.Errorf("%d wait, want %d", got, want)
				}
			})
		})
	}
}

func sum(of map[string]int) (n int) {
	for _, one := range of {
		n += one
	}
	return n
}

// Room is given back, however a review ends.
func TestRoomIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""), behind(generic("team-a", "openai", "")))
		for range 5 {
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() { f.admit("team-a", naming("openai")) })
				all.Go(func() { f.admit("team-a", `{"spec":{"containers":{}}}`) })
				all.Go(func() { f.post(t.Context(), webhook.PathAnnotated, []byte(`{"kind":"AdmissionReview"`)) })
			}
			begin := time.Now()
			all.Wait()
			if took := time.Since(begin); took != 2*time.Second {
				t.Errorf("took %v", took)
			}
		}
		begin := time.Now()
		if f.admit("team-a", naming("openai")); time.Since(begin) != 2*time.Second {
			t.Error("there was no room to wait in")
		}
	})
}

// What waits is the part of the pod that was decoded, and not the text that it came
// in: neither its memory nor its room, which is for 8 MiB.
func TestTextIsNotHeldWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, namespaces, pods = 200 << 10, 4, 15
		pod := fmt.Sprintf(`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{"containers":[{"name":"a","future":%q}]}}`,
			strings.Repeat("x", size))
		before := heap()
		waited := crowd(t, namespaces, pods, pod, func(*fixture) {
			if held := heap() - before; held > size*namespaces*pods/2 {
				t.Errorf("%d KiB are held for %d pods of %d KiB", held>>10, namespaces*pods, size>>10)
			}
		})
		if got := sum(waited); got != namespaces*pods {
			t.Errorf("%d wait, want %d", got, namespaces*pods)
		}
	})
}

// heap returns the bytes that are in use, without what pools keep.
func heap() int64 {
	var stats runtime.MemStats
	for range 3 { // what is in a pool outlives one collection
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A review can be small and become large: it is not decoded.
func TestManyObjects(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""), generic("team-a", "openai", ""))
	for _, test := range []struct{ objects, code int }{{40_000, http.StatusOK}, {50_001, http.StatusRequestEntityTooLarge}} {
		pod := fmt.Sprintf(`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{"containers":[{"name":"a","volumeMounts":[%s{}]}]}}`,
			strings.Repeat("{},", test.objects))
		answer := f.admit("team-a", pod)
		if answer.code != test.code {
			t.Errorf("%d objects: %d %.200s", test.objects, answer.code, answer.body)
		}
		if want := "the AdmissionReview has more than 50000 objects in it"; test.code != http.StatusOK && answer.message() != want {
			t.Errorf("message %q, want %q", answer.message(), want)
		}
	}
}

// Nobody has so many containers. A pod that has is refused before it waits.
func TestManyContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""), behind(generic("team-a", "openai", "")))
		containers := bytes.Repeat([]byte(`{"name":"","resources":{}},`), 9300)
		pod := fmt.Sprintf(`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{"containers":[%s]}}`, containers[:len(containers)-1])
		begin := time.Now()
		answer := f.admit("team-a", pod)
		if diff := cmp.Diff("not a pod that can be decided about: /spec/containers has 9300 items, more than 1000", answer.message()); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
		if time.Since(begin) != 0 {
			t.Error("it waited")
		}
	})
}
