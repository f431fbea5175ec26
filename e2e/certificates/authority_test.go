// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// authority is somebody who signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key := newKey(t)
	return &authority{sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, key, key), key}
}

// issue makes a certificate for localhost, as the data of a Secret, with what is to be
// trusted.
func (a *authority) issue(t *testing.T, trusted ...*authority) map[string][]byte {
	t.Helper()
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := sign(t, &x509.Certificate{DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.certificate, key, a.key)
	return map[string][]byte{
		corev1.TLSCertKey:       encode("CERTIFICATE", leaf.Raw),
		corev1.TLSPrivateKeyKey: encode("PRIVATE KEY", der),
		"ca.crt":                bundle(trusted...),
	}
}

// bundle is what tells clients to trust.
func bundle(trusted ...*authority) []byte {
	var all []byte
	for _, a := range trusted {
		all = append(all, encode("CERTIFICATE", a.certificate.Raw)...)
	}
	return all
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.BasicConstraintsValid = serial, true
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// volume is a folder that is filled as the kubelet fills one from a Secret: the files are
// links, and all change at once.
type volume struct {
	*testing.T
	dir     string
	version int
}

func newVolume(t *testing.T) *volume { return &volume{T: t, dir: t.TempDir()} }

func (v *volume) write(data map[string][]byte) {
	v.Helper()
	v.version++
	next := fmt.Sprintf("..%d", v.version)
	v.must(os.Mkdir(filepath.Join(v.dir, next), 0o755))
	for key, content := range data {
		v.must(os.WriteFile(filepath.Join(v.dir, next, key), content, 0o600))
	}
	v.must(os.Symlink(next, filepath.Join(v.dir, "..data_new")))
	v.must(os.Rename(filepath.Join(v.dir, "..data_new"), filepath.Join(v.dir, "..data")))
	if v.version > 1 {
		return
	}
	for key := range data {
		v.must(os.Symlink(filepath.Join("..data", key), filepath.Join(v.dir, key)))
	}
}

func (v *volume) must(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// serves says whether the server at an address shows a certificate.
func serves(address string, data map[string][]byte) bool {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // whatever it is
	if err != nil {
		return false
	}
	defer connection.Close()
	block, _ := pem.Decode(data[corev1.TLSCertKey])
	return bytes.Equal(connection.ConnectionState().PeerCertificates[0].Raw, block.Bytes)
}
