// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSignKeepsLeavesWithinTheCA(t *testing.T) {
	ca := mustSigner(t, epoch, 100*time.Hour)
	for name, test := range map[string]struct {
		after, lifetime time.Duration
		wantLeft        time.Duration
		wantErr         error
	}{
		"young CA":             {after: 0, lifetime: 10 * time.Hour, wantLeft: 10 * time.Hour},
		"CA ends before leaf":  {after: 95 * time.Hour, lifetime: 10 * time.Hour, wantLeft: 5 * time.Hour},
		"last seconds":         {after: 100*time.Hour - 2*time.Second, lifetime: 10 * time.Hour, wantLeft: 2 * time.Second},
		"expired":              {after: 100 * time.Hour, lifetime: 10 * time.Hour, wantErr: errExpired},
		"long expired":         {after: 200 * time.Hour, lifetime: 10 * time.Hour, wantErr: errExpired},
		"short leaf":           {after: time.Hour, lifetime: 20 * time.Second, wantLeft: 20 * time.Second},
		"longer than CA's own": {after: 0, lifetime: 1000 * time.Hour, wantLeft: 100 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch.Add(test.after)
			leaf, err := ca.sign(leafTemplate(), now, test.lifetime)
			if !errors.Is(err, test.wantErr) {
				t.Fatalf("sign: %v, want %v", err, test.wantErr)
			}
			if err != nil {
				return
			}
			if left := leaf.NotAfter.Sub(now); left != test.wantLeft {
				t.Errorf("leaf is valid for %s, want %s", left, test.wantLeft)
			}
			if leaf.NotBefore.After(now) || leaf.NotBefore.Before(ca.certificate.NotBefore) {
				t.Errorf("leaf begins at %s; CA at %s, now %s", leaf.NotBefore, ca.certificate.NotBefore, now)
			}
			// DynamicSource renews here; a moment in the past would have it renew without pause.
			if renew := leaf.NotAfter.Add(leaf.NotAfter.Sub(leaf.NotBefore) / -3); !renew.After(now) {
				t.Errorf("leaf would be renewed at %s, which is past", renew)
			}
			if err := accepts(encodeBundle(ca.certificate), leaf, now); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignLeavesTheTemplateAlone(t *testing.T) {
	template, before := leafTemplate(), leafTemplate()
	if _, err := mustSigner(t, epoch, time.Hour).sign(template, epoch, time.Minute); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, template); diff != "" {
		t.Errorf("template changed (-before +after):\n%s", diff)
	}
}

func TestParseSignerRefuses(t *testing.T) {
	ca, other := mustSigner(t, epoch, time.Hour), mustSigner(t, epoch, time.Hour)
	leaf, err := ca.sign(leafTemplate(), epoch, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	leafKeyPEM := pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})
	good := encodeBundle(ca.certificate)
	for name, test := range map[string]struct{ certPEM, keyPEM []byte }{
		"nothing":            {nil, nil},
		"no key":             {good, nil},
		"another CA's key":   {good, other.keyPEM},
		"key cut off":        {good, ca.keyPEM[:len(ca.keyPEM)/2]},
		"key garbled":        {good, bytes.ReplaceAll(ca.keyPEM, ca.keyPEM[60:70], []byte("AAAAAAAAAA"))},
		"key as certificate": {ca.keyPEM, ca.keyPEM},
		"not PEM":            {[]byte("hello"), []byte("world")},
		"a leaf":             {encodeBundle(leaf), leafKeyPEM},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSigner(test.certPEM, test.keyPEM)
			if err == nil {
				t.Fatalf("parseSigner accepted it as %s", got)
			}
			assertNoKey(t, err.Error(), ca, other)
		})
	}
	if got, err := parseSigner(good, ca.keyPEM); err != nil || got.String() != ca.String() {
		t.Errorf("parseSigner(good) = %v, %v", got, err)
	}
}

func TestSignerNeverPrintsItsKey(t *testing.T) {
	ca := mustSigner(t, epoch, time.Hour)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "ca", ca)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "ca", ca)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&logged, verb, ca)
		fmt.Fprintf(&logged, verb, state{current: ca, next: ca})
	}
	assertNoKey(t, logged.String(), ca)
}

// assertNoKey looks for the key in the forms in which it could get into text.
func assertNoKey(t *testing.T, text string, signers ...*signer) {
	t.Helper()
	for _, s := range signers {
		block, _ := pem.Decode(s.keyPEM)
		lines := strings.Split(string(s.keyPEM), "\n")
		for _, form := range []string{string(s.keyPEM), lines[1], lines[2], fmt.Sprintf("%d", block.Bytes), fmt.Sprintf("%x", block.Bytes)} {
			if strings.Contains(text, form) {
				t.Errorf("text holds a private key: %s", text)
			}
		}
		if scalar := s.scalar(t); strings.Contains(text, scalar) {
			t.Errorf("text holds the number of a private key: %s", text)
		}
	}
}

func TestParseBundle(t *testing.T) {
	a, b := mustSigner(t, epoch, time.Hour), mustSigner(t, epoch, time.Hour)
	for name, test := range map[string]struct {
		bundle       []byte
		want         []string
		wantComplete bool
	}{
		"empty":          {bundle: nil, wantComplete: true},
		"blank":          {bundle: []byte(" \n\n"), wantComplete: true},
		"two":            {bundle: encodeBundle(a.certificate, b.certificate), want: []string{a.String(), b.String()}, wantComplete: true},
		"duplicate":      {bundle: encodeBundle(a.certificate, a.certificate), want: []string{a.String()}, wantComplete: true},
		"text":           {bundle: []byte("hello")},
		"text after":     {bundle: append(encodeBundle(a.certificate), "hello"...), want: []string{a.String()}},
		"key among them": {bundle: append(bytes.Clone(a.keyPEM), encodeBundle(b.certificate)...), want: []string{b.String()}},
		"broken among them": {
			bundle: append(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte("x")}), encodeBundle(b.certificate)...),
			want:   []string{b.String()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			certificates, complete := parseBundle(test.bundle)
			var got []string
			for _, certificate := range certificates {
				got = append(got, fingerprint(certificate))
			}
			if diff := cmp.Diff(test.want, got); diff != "" || complete != test.wantComplete {
				t.Errorf("complete = %v, want %v; certificates (-want +got):\n%s", complete, test.wantComplete, diff)
			}
		})
	}
}

// scalar is the private number of the key in decimal, which is how fmt prints a big.Int.
func (s *signer) scalar(t *testing.T) string {
	t.Helper()
	key, ok := s.key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("key is a %T", s.key)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(raw).String()
}
