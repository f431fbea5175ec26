// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Clients says who may connect to a server: who shows a certificate for client
// authentication that a CA has signed, and that has one of the names if there are
// any.
type Clients struct {
	// CAFile is a file with the certificates of CAs, in PEM. It is read for every
	// connection, so it may be replaced at any time. If it is empty, everybody may
	// connect.
	CAFile string
	// Names are common names or DNS names of certificates.
	Names []string
}

// Configure has a server ask for certificates. It fails if the file has none, and
// then nobody may connect.
func (c Clients) Configure(config *tls.Config) error {
	if c.CAFile == "" {
		if len(c.Names) > 0 {
			return errors.New("names of clients mean nothing without a CA that vouches for them")
		}
		return nil
	}
	config.ClientAuth = tls.RequireAnyClientCert
	// Unlike VerifyPeerCertificate, this is called for resumed sessions, too.
	config.VerifyConnection = c.verify
	_, err := c.authorities()
	return err
}

func (c Clients) authorities() (*x509.CertPool, error) {
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the CA of clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("reading the CA of clients: %s has no certificate in it", c.CAFile)
	}
	return pool, nil
}

func (c Clients) verify(connection tls.ConnectionState) error {
	roots, err := c.authorities()
	if err != nil {
		return err
	}
	if len(connection.PeerCertificates) == 0 {
		return errors.New("the client shows no certificate")
	}
	client, intermediates := connection.PeerCertificates[0], x509.NewCertPool()
	for _, certificate := range connection.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err = client.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the client's certificate: %w", err)
	}
	if len(c.Names) > 0 && !slices.ContainsFunc(append(client.DNSNames, client.Subject.CommonName), c.allows) {
		return fmt.Errorf("the client's certificate is of %q, which may not connect", client.Subject.CommonName)
	}
	return nil
}

func (c Clients) allows(name string) bool { return slices.Contains(c.Names, name) }
