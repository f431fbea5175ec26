// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Keys of the CA Secret, beside tls.crt and tls.key, which hold the CA that signs now.
const (
	// BundleKey holds every CA that clients are to trust: the signing one, the next one and those that signed before.
	BundleKey = "ca.crt"
	// NextCertificateKey and NextPrivateKeyKey hold the CA that will sign next. They are there only during a rotation.
	NextCertificateKey = "next.crt"
	NextPrivateKeyKey  = "next.key"
)

// Annotations of the CA Secret. None of them holds anything secret.
const (
	// RotateAnnotation, with any value, asks for a rotation now. It is removed when that rotation, or the one that is
	// under way, has been taken up.
	RotateAnnotation = "credence.dev/rotate-ca"
	// NextPublishedAtAnnotation is the time (RFC 3339) from which every client has been told of the next CA. It is absent
	// before that, and again whenever a client is found that has lost it.
	NextPublishedAtAnnotation = "certs.credence.dev/next-published-at"
	// RetireAfterAnnotation says when each CA that signs no more leaves the bundle: a comma-separated list of
	// <fingerprint>=<time>, the fingerprint being the first 16 hex digits of the certificate's SHA-256, the time RFC 3339.
	RetireAfterAnnotation = "certs.credence.dev/retire-after"
)

// state is what a CA Secret says. The zero value stands for a Secret that does not exist.
type state struct {
	// current signs; nil if it is missing or unusable.
	current *signer
	// next signs after current; nil unless a rotation is under way.
	next *signer
	// retired are trusted and sign no more.
	retired []retiredCA
	// nextPublishedAt is zero until every client trusts next. Full seconds.
	nextPublishedAt time.Time
	rotateRequested bool
}

// retiredCA leaves the bundle at until (full seconds); zero means that this has not been decided yet.
type retiredCA struct {
	certificate *x509.Certificate
	until       time.Time
}

// readState reads a CA Secret, and tells in one sentence each what is wrong with it.
func readState(secret *corev1.Secret) (state, []string) {
	if secret == nil {
		return state{}, nil
	}
	r := reading{Secret: secret}
	r.readSigners()
	r.readRequest()
	r.readRetired()
	return r.state, r.problems
}

// reading is a CA Secret while it is read.
type reading struct {
	*corev1.Secret
	state    state
	problems []string
}

func (r *reading) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *reading) readSigners() {
	r.state.current = r.signer(corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	if r.Data[NextCertificateKey] != nil || r.Data[NextPrivateKeyKey] != nil {
		r.state.next = r.signer(NextCertificateKey, NextPrivateKeyKey)
	}
}

func (r *reading) signer(certificateKey, privateKeyKey string) *signer {
	s, err := parseSigner(r.Data[certificateKey], r.Data[privateKeyKey])
	if err != nil {
		r.problem("%s and %s are unusable: %v", certificateKey, privateKeyKey, err)
		return nil
	}
	return s
}

func (r *reading) readRequest() {
	_, r.state.rotateRequested = r.Annotations[RotateAnnotation]
	value, ok := r.Annotations[NextPublishedAtAnnotation]
	if !ok || r.state.next == nil {
		return
	}
	var err error
	if r.state.nextPublishedAt, err = time.Parse(time.RFC3339, value); err != nil {
		r.problem("annotation %s is not a time", NextPublishedAtAnnotation)
	}
}

// readRetired salvages every certificate in the bundle that is not accounted for: some process may still serve a leaf of it.
func (r *reading) readRetired() {
	bundle, complete := parseBundle(r.Data[BundleKey])
	if !complete {
		r.problem("%s holds something other than certificates", BundleKey)
	}
	if r.state.current != nil && !contains(bundle, r.state.current.certificate) {
		r.problem("%s lacks the CA in %s", BundleKey, corev1.TLSCertKey)
	}
	until, ok := parseRetireAfter(r.Annotations[RetireAfterAnnotation])
	if !ok {
		r.problem("annotation %s is malformed", RetireAfterAnnotation)
	}
	for _, certificate := range bundle {
		if !r.state.signsWith(certificate) {
			r.state.retired = append(r.state.retired, retiredCA{certificate, until[fingerprint(certificate)]})
		}
	}
}

// signsWith tells whether certificate is that of the current or the next CA.
func (s state) signsWith(certificate *x509.Certificate) bool {
	return s.current != nil && s.current.certificate.Equal(certificate) ||
		s.next != nil && s.next.certificate.Equal(certificate)
}

// bundle is every CA that clients are to trust.
func (s state) bundle() []*x509.Certificate {
	var bundle []*x509.Certificate
	for _, signer := range []*signer{s.current, s.next} {
		if signer != nil {
			bundle = append(bundle, signer.certificate)
		}
	}
	for _, retired := range s.retired {
		bundle = append(bundle, retired.certificate)
	}
	return bundle
}

// writeTo writes s into secret, and leaves alone what is not ours there.
func (s state) writeTo(secret *corev1.Secret) {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	writeSigner(secret.Data, s.current, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	writeSigner(secret.Data, s.next, NextCertificateKey, NextPrivateKeyKey)
	secret.Data[BundleKey] = encodeBundle(s.bundle()...)

	if !s.rotateRequested {
		delete(secret.Annotations, RotateAnnotation)
	}
	publishedAt := ""
	if !s.nextPublishedAt.IsZero() {
		publishedAt = s.nextPublishedAt.UTC().Format(time.RFC3339)
	}
	annotate(secret, NextPublishedAtAnnotation, publishedAt)
	annotate(secret, RetireAfterAnnotation, formatRetireAfter(s.retired))
}

func writeSigner(data map[string][]byte, s *signer, certificateKey, privateKeyKey string) {
	if s == nil {
		delete(data, certificateKey)
		delete(data, privateKeyKey)
		return
	}
	data[certificateKey] = encodeBundle(s.certificate)
	data[privateKeyKey] = s.keyPEM
}

// annotate sets an annotation, or removes it if value is empty.
func annotate(secret *corev1.Secret, key, value string) {
	if value == "" {
		delete(secret.Annotations, key)
		return
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[key] = value
}

func parseRetireAfter(value string) (map[string]time.Time, bool) {
	until, ok := map[string]time.Time{}, true
	for item := range strings.SplitSeq(value, ",") {
		if item == "" {
			continue
		}
		name, stamp, found := strings.Cut(item, "=")
		at, err := time.Parse(time.RFC3339, stamp)
		if !found || err != nil {
			ok = false
			continue
		}
		until[name] = at
	}
	return until, ok
}

func formatRetireAfter(retired []retiredCA) string {
	sorted := slices.SortedFunc(slices.Values(retired), func(a, b retiredCA) int {
		return cmp.Or(a.until.Compare(b.until), cmp.Compare(fingerprint(a.certificate), fingerprint(b.certificate)))
	})
	var items []string
	for _, ca := range sorted {
		items = append(items, fingerprint(ca.certificate)+"="+ca.until.UTC().Format(time.RFC3339))
	}
	return strings.Join(items, ",")
}
