// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// world is a cluster with API servers that trust what is published and processes that serve, one each of which is a step
// behind the other.
type world struct {
	*cluster
	trusted [2][]byte            // now, one step ago
	secrets [2]*corev1.Secret    // now, one step ago
	leaves  [2]*x509.Certificate // of the process that is up to date, of the one that lags
	served  []*x509.Certificate  // every leaf that is valid
}

func newWorld(t testing.TB, settings Settings) *world {
	return &world{cluster: newCluster(t, settings, mutating("m", "a", "b"), validating("v", "a"))}
}

// step lets the controller look once (a fresh one, as after a restart), has the processes and API servers catch up, the lagging
// ones with the step before, and then lets everybody connect to everybody.
func (w *world) step() {
	w.t.Helper()
	w.rotate()
	w.publish()
	w.trusted[1], w.secrets[1] = w.trusted[0], w.secrets[0]
	w.trusted[0], w.secrets[0] = w.published(), w.secret()
	if w.secrets[1] == nil { // the first step: nobody can be behind
		w.trusted[1], w.secrets[1] = w.trusted[0], w.secrets[0]
	}
	for i, secret := range w.secrets {
		process := &Authority{Secret: secretName, LeafDuration: w.settings.LeafDuration, Clock: w.clock}
		if err := process.observe(secret); err != nil {
			w.t.Fatalf("process %d: %v", i, err)
		}
		leaf, err := process.Sign(leafTemplate())
		if err != nil {
			w.t.Fatalf("process %d: %v", i, err)
		}
		w.leaves[i] = leaf
		w.served = append(w.served, leaf)
	}
	w.connect()
}

// connect fails unless both API servers can connect to both processes, and would accept every leaf that is still valid, since
// a process may serve it to its end.
func (w *world) connect() {
	w.t.Helper()
	w.served = slices.DeleteFunc(w.served, func(leaf *x509.Certificate) bool { return !w.clock.Now().Before(leaf.NotAfter) })
	for i, bundle := range w.trusted {
		for j, leaf := range w.leaves {
			if err := handshake(bundle, leaf, w.clock.Now()); err != nil {
				w.t.Errorf("at %s: API server %d cannot connect to process %d: %v", w.age(), i, j, err)
			}
		}
		for _, leaf := range w.served {
			if err := accepts(bundle, leaf, w.clock.Now()); err != nil {
				w.t.Errorf("at %s: API server %d refuses the leaf of %s: %v", w.age(), i, leaf.NotBefore, err)
			}
		}
	}
}

func (w *world) age() time.Duration { return w.clock.Now().Sub(epoch) }

// phase is the number of CAs in each role.
type phase struct{ Next, Retired, Published int }

func (w *world) phase() phase {
	s := w.state()
	certificates, _ := parseBundle(w.published())
	p := phase{Retired: len(s.retired), Published: len(certificates)}
	if s.next != nil {
		p.Next = 1
	}
	return p
}

// handshake is a TLS connection at the time now, from a client that trusts bundle to a server that serves leaf.
func handshake(bundle []byte, leaf *x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	clientEnd, serverEnd := net.Pipe()
	defer clientEnd.Close()
	deadline := time.Now().Add(10 * time.Second)
	// A pipe has no buffer: after a refusal both ends would write and neither read.
	if err := errors.Join(clientEnd.SetDeadline(deadline), serverEnd.SetDeadline(deadline)); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		defer serverEnd.Close()
		certificate := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey, Leaf: leaf}
		server := tls.Server(serverEnd, &tls.Config{
			GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
			SessionTicketsDisabled: true, // nobody would read them from the pipe
		})
		served <- server.Handshake()
	}()
	client := tls.Client(clientEnd, &tls.Config{RootCAs: roots, ServerName: serverName, Time: func() time.Time { return now }})
	if err := client.Handshake(); err != nil {
		clientEnd.Close()
		return errors.Join(err, <-served)
	}
	return <-served
}

// The whole life of a CA, step by step, with a controller that restarts at each of them.
func TestRotationStory(t *testing.T) {
	w := newWorld(t, Settings{CADuration: 90 * day, PropagationDelay: 10 * time.Minute, LeafDuration: 7 * day, Slack: day})
	var first, second string
	for _, chapter := range []struct {
		name  string
		after time.Duration // since the chapter before
		want  phase
	}{
		{"created, published and serving", 0, phase{Next: 0, Retired: 0, Published: 1}},
		{"most of its life: nothing", 59 * day, phase{Next: 0, Retired: 0, Published: 1}},
		{"two thirds: the next CA is published", day, phase{Next: 1, Retired: 0, Published: 2}},
		{"everybody has it: the delay begins", time.Second, phase{Next: 1, Retired: 0, Published: 2}},
		{"the delay is not over", 10*time.Minute - time.Second, phase{Next: 1, Retired: 0, Published: 2}},
		{"the delay is over: the next CA signs, the old one stays", time.Second, phase{Next: 0, Retired: 1, Published: 2}},
		{"the lagging process signs with the new one too", time.Minute, phase{Next: 0, Retired: 1, Published: 2}},
		{"leaves of the old CA may still be served", 8*day - 2*time.Minute, phase{Next: 0, Retired: 1, Published: 2}},
		{"no leaf of it is left: the old CA goes", 2 * time.Minute, phase{Next: 0, Retired: 0, Published: 1}},
		{"quiet", 20 * day, phase{Next: 0, Retired: 0, Published: 1}},
		{"the second CA's turn", 35 * day, phase{Next: 1, Retired: 0, Published: 2}},
	} {
		w.clock.Step(chapter.after)
		w.step()
		if diff := cmp.Diff(chapter.want, w.phase()); diff != "" {
			t.Fatalf("%s (at %s; -want +got):\n%s", chapter.name, w.age(), diff)
		}
		if first == "" {
			first = w.state().current.String()
		}
		second = w.state().current.String()
	}
	if first == second {
		t.Error("the first CA signs to the end")
	}
}

// In the middle of a rotation GitOps wipes one configuration: the next CA must not sign before the damage is long repaired.
func TestRotationStoryWithAWipe(t *testing.T) {
	w := newWorld(t, Settings{})
	w.step()
	w.clock.Step(DefaultCADuration * 3 / 4)
	w.step() // the next CA is made
	w.step() // and known to be everywhere
	w.clock.Step(DefaultPropagationDelay - time.Second)
	var wiped admissionregistrationv1.ValidatingWebhookConfiguration
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: "v"}, &wiped); err != nil {
		t.Fatal(err)
	}
	wiped.Webhooks[0].ClientConfig.CABundle = nil
	if err := w.client.Update(t.Context(), &wiped); err != nil {
		t.Fatal(err)
	}
	w.step() // notices, repairs
	if !w.state().nextPublishedAt.IsZero() {
		t.Fatal("the delay goes on although a configuration had lost the CA")
	}
	w.step() // everywhere again
	w.clock.Step(DefaultPropagationDelay - time.Second)
	if w.step(); len(w.state().retired) != 0 {
		t.Fatal("the delay did not begin anew")
	}
	w.clock.Step(time.Second)
	if w.step(); len(w.state().retired) != 1 {
		t.Fatal("the next CA does not sign after the delay")
	}
}

// Half a year, looking when the rotator asks to during a rotation and else every day and a half, with requests in between.
func TestRotationAgainAndAgain(t *testing.T) {
	const end = 180 * day
	w := newWorld(t, Settings{CADuration: 30 * day, PropagationDelay: time.Minute, LeafDuration: 5 * day, Slack: 2 * day})
	signers := map[string]bool{}
	for look := 0; w.age() < end; look++ {
		w.step()
		s := w.state()
		signers[s.current.String()] = true
		if look%70 == 69 {
			w.change(func(s *corev1.Secret) { annotate(s, RotateAnnotation, "now") })
		}
		wait := 36 * time.Hour
		if s.next != nil {
			wait = s.wait(w.clock.Now(), w.settings.WithDefaults())
		}
		w.clock.Step(wait)
	}
	if want := int(end / (20 * day)); len(signers) < want {
		t.Errorf("%d CAs, want at least %d", len(signers), want)
	}
}
