// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	certificateBlock = "CERTIFICATE"
	privateKeyBlock  = "PRIVATE KEY"

	// maxBackdate is how far a certificate's NotBefore lies in the past, for clients whose clock is behind ours.
	maxBackdate = 5 * time.Minute
)

var errExpired = errors.New("the CA has expired")

// signer is a CA that can sign: a certificate and its private key. Nothing prints the key.
type signer struct {
	certificate *x509.Certificate
	key         crypto.Signer
	keyPEM      []byte
}

// newSigner makes a self-signed CA that is valid for lifetime from now.
func newSigner(commonName string, now time.Time, lifetime time.Duration) (*signer, error) {
	// P-256: the API server verifies one signature of this key per handshake, and Go does that fast only for this curve.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a CA key: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate(lifetime)),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}
	certificate, err := createCertificate(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("creating a CA certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a CA key: %w", err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})
	return &signer{certificate: certificate, key: key, keyPEM: keyPEM}, nil
}

// parseSigner reads a CA from PEM. It fails unless the key belongs to the certificate and the certificate may sign others.
func parseSigner(certPEM, keyPEM []byte) (*signer, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading a CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading a CA certificate: %w", err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !certificate.IsCA || certificate.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, errors.New("reading a CA: the certificate may not sign others")
	}
	return &signer{certificate: certificate, key: key, keyPEM: bytes.Clone(keyPEM)}, nil
}

// sign signs a copy of template, valid for lifetime from now but never longer than the CA itself.
func (s *signer) sign(template *x509.Certificate, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	left := min(lifetime, s.certificate.NotAfter.Sub(now))
	if left < time.Second {
		return nil, errExpired
	}
	leaf := *template
	leaf.NotAfter = now.Add(left)
	leaf.NotBefore = now.Add(-backdate(left))
	if leaf.NotBefore.Before(s.certificate.NotBefore) {
		leaf.NotBefore = s.certificate.NotBefore
	}
	leaf.BasicConstraintsValid = true
	// The algorithm follows the CA's key, which need not be of the leaf's kind.
	leaf.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	certificate, err := createCertificate(&leaf, s.certificate, template.PublicKey, s.key)
	if err != nil {
		return nil, fmt.Errorf("signing a serving certificate: %w", err)
	}
	return certificate, nil
}

func (s *signer) validAt(now time.Time) bool {
	return s != nil && now.Before(s.certificate.NotAfter)
}

// String names the CA in logs and events.
func (s *signer) String() string { return fingerprint(s.certificate) }

// GoString keeps %#v from reaching the key.
func (s *signer) GoString() string { return "certs.signer(" + s.String() + ")" }

// backdate is a tenth of a short lifetime rather than maxBackdate: cert-manager's DynamicSource renews at two thirds of
// NotBefore to NotAfter, so a long backdate on a short leaf would have it renew without pause.
func backdate(lifetime time.Duration) time.Duration {
	return min(maxBackdate, lifetime/10)
}

func createCertificate(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// fingerprint is the beginning of the SHA-256 of a certificate, in hex: enough to tell a handful of CAs apart.
func fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:8])
}

// parseBundle returns the certificates in a PEM bundle, each once, in order. complete is false if there was anything else.
func parseBundle(bundle []byte) (certificates []*x509.Certificate, complete bool) {
	complete = true
	for rest := bundle; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return certificates, false
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != certificateBlock {
			complete = false
			continue
		}
		if !contains(certificates, certificate) {
			certificates = append(certificates, certificate)
		}
	}
	return certificates, complete
}

func encodeBundle(certificates ...*x509.Certificate) []byte {
	var bundle bytes.Buffer
	for _, certificate := range certificates {
		bundle.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw}))
	}
	return bundle.Bytes()
}

func contains(certificates []*x509.Certificate, wanted *x509.Certificate) bool {
	return slices.ContainsFunc(certificates, wanted.Equal)
}
