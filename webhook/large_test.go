// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/credence-dev/credence/webhook"
)

// Large reviews are taken in a few at a time, and do not keep small ones waiting.
func TestLargeReviewsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(project("team-a", ""), generic("team-a", "openai", ""))
		large := append(reviewOf("team-a", []byte(naming("openai"))), bytes.Repeat([]byte(" "), 1<<20)...)
		var reading, done atomic.Int32
		goOn := make(chan struct{})
		for range 5 {
			go func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhook.PathAnnotated, readerFunc(bytes.NewReader(large), func() {
					reading.Add(1)
					<-goOn
				}))
				r.ContentLength = int64(len(large))
				r.Header.Set("Content-Type", "application/json")
				if answer := f.do(r); answer.response == nil || !answer.response.Allowed {
					t.Errorf("answer: %d %s", answer.code, answer.body)
				}
				done.Add(1)
			}()
		}
		synctest.Wait()
		if n := reading.Load(); n != 2 {
			t.Errorf("%d large reviews are read at once, want 2", n)
		}
		if answer := f.admit("team-a", naming("openai")); !answer.response.Allowed {
			t.Errorf("answer: %s", answer.body)
		}
		close(goOn)
		synctest.Wait()
		if n := done.Load(); n != 5 {
			t.Errorf("%d large reviews were answered, want 5", n)
		}
	})
}

// readerFunc calls before ahead of the first read.
func readerFunc(r io.Reader, before func()) io.Reader { return &delayedReader{r, before} }

type delayedReader struct {
	io.Reader
	before func()
}

func (d *delayedReader) Read(p []byte) (int, error) {
	if d.before != nil {
		d.before()
		d.before = nil
	}
	return d.Reader.Read(p)
}

// Clients that announce reviews and send nothing do not keep the room of others:
// neither the few with large ones nor the many with small ones. Nobody waits for
// room longer than an API server waits for the answer.
func TestReviewsThatDoNotCome(t *testing.T) {
	for name, test := range map[string]struct{ clients, length int }{
		"large": {clients: 3, length: 1 << 20},
		"small": {clients: 100, length: 200 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.know(project("team-a", ""), generic("team-a", "openai", ""))
				listener := &pipes{connections: make(chan net.Conn)}
				server := &http.Server{Handler: f.handlers[webhook.PathAnnotated]}
				served := make(chan error)
				go func() { served <- server.Serve(listener) }()
				var readers []*bufio.Reader
				for range test.clients {
					client, connection := net.Pipe()
					defer client.Close()
					listener.connections <- connection
					if _, err := fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", test.length); err != nil {
						t.Fatal(err)
					}
					readers = append(readers, bufio.NewReader(client))
				}
				synctest.Wait()
				begin := time.Now()
				for _, reader := range readers {
					response, err := http.ReadResponse(reader, nil)
					if err != nil {
						t.Fatal(err)
					}
					// Room that is given back at the last moment may still be found.
					if code := response.StatusCode; code != http.StatusBadRequest && code != http.StatusServiceUnavailable {
						t.Errorf("answer: %s", response.Status)
					}
				}
				if took := time.Since(begin); took != 5*time.Second {
					t.Errorf("took %v", took)
				}
				if answer := f.admit("team-a", naming("openai")+strings.Repeat(" ", test.length)); answer.response == nil || !answer.response.Allowed {
					t.Errorf("who comes later is told: %d %s", answer.code, answer.body)
				}
				if err := server.Close(); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
				pass(time.Second) // net/http lingers a moment on connections that it closes
			})
		})
	}
}

// pipes is a listener without a network.
type pipes struct{ connections chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	connection, ok := <-p.connections
	if !ok {
		return nil, errors.New("closed")
	}
	return connection, nil
}

func (p *pipes) Close() error   { close(p.connections); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }
