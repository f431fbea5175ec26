// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	cmtls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

var errServingExpired = errors.New("the serving certificate has expired")

// Source gives a server its certificate. It is a manager.Runnable that every replica runs; until its first certificate is
// there, and again should the last one expire, it is not healthy (vault-k8s#354: a server that listened too early).
type Source struct {
	certificates cmtls.CertificateSource
	authority    *Authority // nil unless self-managed
	clock        clock.PassiveClock
}

// SelfManaged returns a Source that makes a key in memory and has authority sign a certificate of it for dnsNames: anew at two
// thirds of its life and whenever the signing CA changes. It runs the authority. Renewal goes by the real clock, whatever the
// authority's.
func SelfManaged(authority *Authority, dnsNames ...string) *Source {
	return &Source{
		certificates: &cmtls.DynamicSource{DNSNames: dnsNames, Authority: authority},
		authority:    authority,
		clock:        clockOrReal(authority.Clock),
	}
}

// FromFiles returns a Source that reads PEM files, as in a mounted Secret of cert-manager's or the user's, and looks every 10
// seconds whether they have changed. Files that are missing or do not match leave the last good certificate in force.
func FromFiles(certificateFile, keyFile string) *Source {
	return filesEvery(10*time.Second, certificateFile, keyFile)
}

func filesEvery(interval time.Duration, certificateFile, keyFile string) *Source {
	return &Source{
		certificates: &cmtls.FileCertificateSource{
			CertPath:       certificateFile,
			KeyPath:        keyFile,
			UpdateInterval: interval,
			// It counts failures over its whole life and never back to zero, so any limit would end the process some day.
			MaxFailures: math.MaxInt,
		},
		clock: clock.RealClock{},
	}
}

// Start keeps the certificate up to date until ctx is done.
func (s *Source) Start(ctx context.Context) error {
	ctx = logr.NewContext(ctx, log.FromContext(ctx).WithName("certs"))
	if err := s.certificates.Start(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("keeping the serving certificate: %w", err)
	}
	return nil
}

// NeedLeaderElection is false: every replica serves.
func (s *Source) NeedLeaderElection() bool { return false }

// GetCertificate is for tls.Config. It fails as long as there is no certificate.
func (s *Source) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.certificates.GetCertificate(hello)
}

// Healthy tells whether there is a certificate that has not expired.
func (s *Source) Healthy() bool { return s.Check(nil) == nil }

// Check is Healthy as a healthz.Checker, for the readiness probe. Its error says what is wrong.
func (s *Source) Check(*http.Request) error {
	notAfter, err := s.notAfter()
	if err != nil {
		return fmt.Errorf("no serving certificate yet: %w", err)
	}
	if !s.clock.Now().Before(notAfter) {
		return errServingExpired
	}
	return nil
}

// notAfter goes through GetCertificate because the Healthy method of cert-manager's FileCertificateSource reads without its
// lock.
func (s *Source) notAfter() (time.Time, error) {
	certificate, err := s.certificates.GetCertificate(nil)
	if err != nil {
		return time.Time{}, err
	}
	return certificate.Leaf.NotAfter, nil // tls.X509KeyPair, which both sources use, fills in Leaf
}
