// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLifetime   = 10 * 365 * 24 * time.Hour
	certificateLifetime = 365 * 24 * time.Hour
	// backdated allows for clocks that differ, and for tests with a fake one.
	backdated = time.Hour

	typeCertificate = "CERTIFICATE"
	typePrivateKey  = "EC PRIVATE KEY" // kube-apiserver reads no other form of ECDSA keys
)

// keyPair is a certificate and its key, both PEM.
type keyPair struct {
	certificate, key []byte
}

// write puts the pair into the files name.crt and name.key of dir.
func (k keyPair) write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), k.certificate, 0o600); err != nil {
		return fmt.Errorf("writing the certificate of %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), k.key, 0o600); err != nil {
		return fmt.Errorf("writing the key of %s: %w", name, err)
	}
	return nil
}

// authority signs certificates.
type authority struct {
	pem         keyPair
	certificate *x509.Certificate
	signer      *ecdsa.PrivateKey
}

// openAuthority reads the authority name from its files in dir, or makes it and
// writes them.
func openAuthority(dir, name string) (*authority, error) {
	pair, err := readKeyPair(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		if pair, err = newAuthority(name); err == nil {
			err = pair.write(dir, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the certificate authority %s: %w", name, err)
	}
	a := &authority{pem: pair}
	if a.certificate, err = parseCertificate(pair.certificate); err != nil {
		return nil, fmt.Errorf("opening the certificate authority %s: %w", name, err)
	}
	if a.signer, err = parseKey(pair.key); err != nil {
		return nil, fmt.Errorf("opening the certificate authority %s: %w", name, err)
	}
	return a, nil
}

func newAuthority(name string) (keyPair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotAfter:              time.Now().Add(authorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	return issue(template, nil)
}

// serving returns a certificate for a server on the loopback address that is
// known by the names as well. It is one for a client, too: etcd's JSON gateway takes
// the server's to talk to itself.
func (a *authority) serving(names ...string) (keyPair, error) {
	return issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotAfter:    time.Now().Add(certificateLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    names,
		IPAddresses: []net.IP{net.ParseIP(loopback)},
	}, a)
}

// client returns a certificate that makes its holder the user in the groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	return issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		NotAfter:    time.Now().Add(certificateLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a)
}

// issue makes a key and its certificate, signed by parent or, if that is nil, by
// the key itself.
func issue(template *x509.Certificate, parent *authority) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("making a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return keyPair{}, fmt.Errorf("making a serial number: %w", err)
	}
	template.NotBefore = time.Now().Add(-backdated)
	signedBy, signer := template, key
	if parent != nil {
		signedBy, signer = parent.certificate, parent.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signedBy, key.Public(), signer)
	if err != nil {
		return keyPair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{pem.EncodeToMemory(&pem.Block{Type: typeCertificate, Bytes: der}), keyPEM}, nil
}

// ensureSigningKey makes the file path hold a key for the tokens of service
// accounts.
func ensureSigningKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of service accounts: %w", err)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		return fmt.Errorf("writing the key of service accounts: %w", err)
	}
	return nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: typePrivateKey, Bytes: der}), nil
}

func readKeyPair(dir, name string) (pair keyPair, err error) {
	if pair.certificate, err = os.ReadFile(filepath.Join(dir, name+".crt")); err != nil {
		return keyPair{}, err
	}
	if pair.key, err = os.ReadFile(filepath.Join(dir, name+".key")); err != nil {
		return keyPair{}, err
	}
	return pair, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != typeCertificate {
		return nil, errors.New("not a PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != typePrivateKey {
		return nil, errors.New("not a PEM key of the type " + typePrivateKey)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}
