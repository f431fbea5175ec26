// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
	"k8s.io/client-go/kubernetes"
)

// Login is a user and a password, or an access key and its secret. However it is
// printed, it does not show.
type Login struct {
	Username, Password string
}

// Format writes nothing of it.
func (Login) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(a login)")) }

// MarshalText writes nothing of it, either.
func (Login) MarshalText() ([]byte, error) { return []byte("(a login)"), nil }

func newLogin(user string) Login { return Login{Username: user, Password: rand.Text()} }

// htpasswd is the line of a file that registries know logins by.
func (l Login) htpasswd() ([]byte, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(l.Password), bcrypt.MinCost)
	return append([]byte(l.Username+":"), hash...), err
}

// logins are all of a stage.
type logins struct {
	registry           map[string]Login // by path
	git, keeper, s3    Login
	userKey, hostKey   []byte // private keys
	authorized         []byte // the user's public key
	hostPublic         []byte
	ca                 []byte
	serverCert, server []byte // certificate and key of Git and S3
}

// makeLogins makes them anew.
func makeLogins(ctx context.Context, kube kubernetes.Interface) (*logins, error) {
	l := &logins{
		registry: map[string]Login{Red: newLogin("red"), Blue: newLogin("blue")},
		git:      newLogin("reader"), keeper: newLogin("keeper"),
		s3: Login{Username: rand.Text(), Password: rand.Text()},
	}
	var err error
	if l.userKey, l.authorized, err = sshKey(); err != nil {
		return nil, err
	}
	if l.hostKey, l.hostPublic, err = sshKey(); err != nil {
		return nil, err
	}
	addresses, err := nodeAddresses(ctx, kube)
	if err != nil {
		return nil, err
	}
	return l, l.makeCertificates(addresses)
}

func sshKey() (private, public []byte, err error) {
	publicKey, privateKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(privateKey, "")
	if err != nil {
		return nil, nil, fmt.Errorf("writing an SSH key: %w", err)
	}
	line, err := ssh.NewPublicKey(publicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("writing an SSH key: %w", err)
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(line), nil
}

// makeCertificates makes a CA and a certificate for Git and S3, by their names and by
// the addresses of nodes, where this machine reaches them.
func (l *logins) makeCertificates(addresses []string) error {
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stage"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of a CA: %w", err)
	}
	signed, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return fmt.Errorf("making a CA: %w", err)
	}
	l.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})

	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "stage"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{gitHost, s3Host}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, address := range addresses {
		server.IPAddresses = append(server.IPAddresses, net.ParseIP(address))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of a server: %w", err)
	}
	if signed, err = x509.CreateCertificate(rand.Reader, server, ca, key.Public(), caKey); err != nil {
		return fmt.Errorf("making the certificate of a server: %w", err)
	}
	l.serverCert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing the key of a server: %w", err)
	}
	l.server = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	return nil
}
