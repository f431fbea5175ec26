// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func node(name, address string, ready corev1.ConditionStatus, labels map[string]string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Status: corev1.NodeStatus{
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: address}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
		},
	}
}

func trial(t *testing.T) *logins {
	t.Helper()
	made, err := makeLogins(context.Background(), fake.NewClientset(
		node("a", "192.0.2.1", corev1.ConditionFalse, nil),
		node("b", "192.0.2.2", corev1.ConditionTrue, nil),
		node("c", "192.0.2.3", corev1.ConditionTrue, map[string]string{controlPlaneLabel: ""}),
	))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestALoginDoesNotShow(t *testing.T) {
	login := newLogin("somebody")
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "login", login, "list", []Login{login})
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "login", login, "pointer", &login)
	encoded, err := json.Marshal(map[string]any{"login": login, "pointer": &login})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		logged.String(), string(encoded), fmt.Sprint(login, &login), fmt.Sprintf("%v %+v %#v %s %q %d", login, login, login, login, login, login),
		fmt.Sprintf("%+v", struct{ L *Login }{&login}), fmt.Sprintf("%+v", []Login{login}),
	} {
		if strings.Contains(text, login.Password) {
			t.Error("a password is in a text")
		}
	}
}

func TestLoginsAreMadeAnewAndFitTogether(t *testing.T) {
	made, other := trial(t), trial(t)
	if made.git.Password == other.git.Password || len(made.s3.Password) < 20 || string(made.userKey) == string(other.userKey) {
		t.Error("logins are not made anew")
	}
	secrets, err := made.secrets()
	if err != nil {
		t.Fatal(err)
	}
	for path, login := range made.registry {
		user, hash, _ := strings.Cut(string(secrets[registryName][path]), ":")
		if user != login.Username || bcrypt.CompareHashAndPassword([]byte(hash), []byte(login.Password)) != nil {
			t.Errorf("the registry %s does not know its login", path)
		}
	}
	signer, err := ssh.ParsePrivateKey(made.userKey)
	if err != nil || string(ssh.MarshalAuthorizedKey(signer.PublicKey())) != string(made.authorized) {
		t.Errorf("the server does not know the key: %v", err)
	}
	_, hosts, key, _, _, err := ssh.ParseKnownHosts((&Git{logins: made}).KnownHosts())
	if err != nil || len(hosts) != 1 || hosts[0] != gitHost {
		t.Fatalf("hosts %q: %v", hosts, err)
	}
	if host, err := ssh.ParsePrivateKey(made.hostKey); err != nil || string(host.PublicKey().Marshal()) != string(key.Marshal()) {
		t.Errorf("the known host is another: %v", err)
	}
}

func TestTheCertificateIsForNamesAndNodes(t *testing.T) {
	made := trial(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(made.ca)
	block, _ := pem.Decode(made.serverCert)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"git.stage.svc", "s3.stage.svc", "192.0.2.1", "192.0.2.3"} {
		if _, err := certificate.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Error(err)
		}
	}
}

func TestTheDoorIsAtANodeThatIsThere(t *testing.T) {
	ready, unready := corev1.ConditionTrue, corev1.ConditionUnknown
	controlPlane := map[string]string{controlPlaneLabel: ""}
	for name, test := range map[string]struct {
		nodes []*corev1.Node
		want  string // empty: none
	}{
		"none":          {},
		"control plane": {nodes: []*corev1.Node{node("a", "192.0.2.1", ready, nil), node("b", "192.0.2.2", ready, controlPlane)}, want: "192.0.2.2:30000"},
		"worker":        {nodes: []*corev1.Node{node("a", "192.0.2.1", unready, controlPlane), node("b", "192.0.2.2", ready, nil)}, want: "192.0.2.2:30000"},
		"unready":       {nodes: []*corev1.Node{node("a", "192.0.2.1", unready, nil)}, want: "192.0.2.1:30000"},
	} {
		t.Run(name, func(t *testing.T) {
			kube := fake.NewClientset()
			for _, one := range test.nodes {
				if _, err := kube.CoreV1().Nodes().Create(t.Context(), one, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := door{kube: kube, port: 30000}.address(t.Context())
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestDockerConfig(t *testing.T) {
	made := trial(t)
	var config struct {
		Auths map[string]map[string]string `json:"auths"`
	}
	content := (&Registry{logins: made.registry}).DockerConfig(Red, Blue)
	if err := json.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{Red, Blue} {
		entry := config.Auths["registry.test:5000/"+path]
		if entry["username"] != path || entry["password"] != made.registry[path].Password || entry["auth"] == "" {
			t.Errorf("the login of %s is not in it", path)
		}
	}
	if len(config.Auths) != 2 {
		t.Errorf("%d logins", len(config.Auths))
	}
}
