// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Config returns a client configuration of the administrator, who may do
// everything (group system:masters). Requests are not slowed down.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// ConfigFor returns a client configuration of a user with a client certificate.
// A user has no rights until RBAC gives some.
func (c *ControlPlane) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	if user == "" {
		return nil, errors.New("a user needs a name")
	}
	pair, err := c.clusterCA.client(user, groups...)
	if err != nil {
		return nil, fmt.Errorf("making a client certificate: %w", err)
	}
	return &rest.Config{
		Host: "https://" + onLoopback(c.apiServerPort),
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   c.clusterCA.pem.certificate,
			CertData: pair.certificate,
			KeyData:  pair.key,
		},
		// As envtest: tests do not wait for themselves.
		QPS:   1000,
		Burst: 2000,
	}, nil
}

// WriteKubeconfig writes the administrator's kubeconfig to the file path.
func (c *ControlPlane) WriteKubeconfig(path string) error { return WriteKubeconfig(path, c.Config()) }

// WriteKubeconfig writes the file path with the server, the certificate authority
// and the client certificate of config, which comes from this package, and the user
// whose rights it takes on, if any.
func WriteKubeconfig(path string, config *rest.Config) error {
	const name = "credence"
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   config.Host,
			CertificateAuthorityData: config.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: config.CertData,
			ClientKeyData:         config.KeyData,
			Impersonate:           config.Impersonate.UserName,
			ImpersonateGroups:     config.Impersonate.Groups,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
