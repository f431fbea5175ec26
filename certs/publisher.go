// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// SourceAnnotation on a webhook configuration says who fills in its caBundle fields. With the value [SourceProvided]
	// the Publisher leaves it alone.
	SourceAnnotation = "credence.dev/ca"
	// SourceProvided means that the user fills them in.
	SourceProvided = "provided"

	publisherFieldManager = "credence-certs"
)

// foreignInjectors are annotations by which somebody else fills in caBundle: cert-manager's cainjector and OpenShift's
// service CA operator.
var foreignInjectors = []string{
	"cert-manager.io/inject-ca-from",
	"cert-manager.io/inject-ca-from-secret",
	"cert-manager.io/inject-apiserver-ca",
	"service.beta.openshift.io/inject-cabundle",
}

// ConfigurationName is the name of our webhook configurations, of both kinds.
const ConfigurationName = product

// Publisher keeps the caBundle of every entry of our webhook configurations equal to the bundle of a CA Secret, or to files
// (vault-k8s patched only webhooks/0, rancher#44584 only one object), also after somebody has wiped it (istio#5947). It is a
// reconciler for the leading controller; [Setup] adds it to a manager, or [SetupPublisher] alone.
type Publisher struct {
	// Client patches the configurations. Setup defaults it to the manager's.
	Client client.Client
	// Reader reads Secret and configurations live. Setup defaults it to the manager's API reader.
	Reader client.Reader
	// Secret is the CA Secret. Setup defaults it to the Rotator's.
	Secret types.NamespacedName
	// Files are PEM files with the CAs to publish, in place of the Secret: where somebody else makes the certificates. They
	// take no right to a Secret. [SetupPublisher] looks every 10 seconds whether they have changed.
	Files []string
	// Names are those of the configurations, of both kinds; default [ConfigurationName]. They go by name because rights do:
	// a label could select a configuration of somebody else's, which may not be written, and a rotation would wait for it
	// for ever.
	Names []string
	// Mutating are the names of more mutating configurations, which have no validating
	// one beside them. One that does not exist is waited for.
	Mutating []string
}

var (
	_ reconcile.Reconciler = (*Publisher)(nil)
	_ Publications         = (*Publisher)(nil)
)

// Reconcile writes the bundle wherever it differs. One configuration that cannot be written does not hold up the others. The
// request is not looked at: every call looks at all of them.
func (p *Publisher) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	bundle, err := p.bundle(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(bundle) == 0 {
		// Not made yet, deleted or damaged. The Rotator will see to it, and that will bring us back.
		return reconcile.Result{}, nil
	}
	configurations, err := p.managed(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	var errs []error
	for _, c := range configurations {
		if err := p.publish(ctx, c, bundle); client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("publishing the CA bundle in %s: %w", c.name, err))
		}
	}
	return reconcile.Result{}, errors.Join(errs...)
}

// Published returns the caBundle of every entry that the Publisher keeps. Its error names what could not be read.
func (p *Publisher) Published(ctx context.Context) ([][]byte, error) {
	configurations, err := p.managed(ctx)
	if err != nil {
		return nil, err
	}
	var published [][]byte
	for _, c := range configurations {
		for _, entry := range c.entries {
			published = append(published, entry.caBundle)
		}
	}
	return published, nil
}

// bundle returns the certificates of the Secret's bundle and nothing else that may be in it: what is published is public.
func (p *Publisher) bundle(ctx context.Context) ([]byte, error) {
	if len(p.Files) > 0 {
		return bundleOf(p.Files)
	}
	var secret corev1.Secret
	if err := p.Reader.Get(ctx, p.Secret, &secret); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading CA Secret %s: %w", p.Secret, err)
	}
	certificates, _ := parseBundle(secret.Data[BundleKey])
	return encodeBundle(certificates...), nil
}

// from is where the bundle comes from, as logs name it.
func (p *Publisher) from() string {
	if len(p.Files) > 0 {
		return strings.Join(p.Files, ", ")
	}
	return "Secret " + p.Secret.String()
}

func (p *Publisher) names() []string {
	if len(p.Names) == 0 {
		return []string{ConfigurationName}
	}
	return p.Names
}

// managed returns the configurations that are ours to fill in.
func (p *Publisher) managed(ctx context.Context) ([]configuration, error) {
	var managed []configuration
	for _, name := range slices.Concat(p.names(), p.Mutating) {
		mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
		if found, err := p.get(ctx, name, mutating); err != nil {
			return nil, fmt.Errorf("reading MutatingWebhookConfiguration %s: %w", name, err)
		} else if found {
			managed = append(managed, mutatingConfiguration(mutating))
		}
	}
	for _, name := range p.names() {
		validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		if found, err := p.get(ctx, name, validating); err != nil {
			return nil, fmt.Errorf("reading ValidatingWebhookConfiguration %s: %w", name, err)
		} else if found {
			managed = append(managed, validatingConfiguration(validating))
		}
	}
	return managed, nil
}

// get reads a configuration and says whether it exists and is ours to fill in.
func (p *Publisher) get(ctx context.Context, name string, into client.Object) (bool, error) {
	err := p.Reader.Get(ctx, types.NamespacedName{Name: name}, into)
	return err == nil && ours(into), client.IgnoreNotFound(err)
}

func ours(object metav1.Object) bool {
	annotations := object.GetAnnotations()
	for _, foreign := range foreignInjectors {
		if _, ok := annotations[foreign]; ok {
			return false
		}
	}
	return annotations[SourceAnnotation] != SourceProvided
}

// publish brings every entry of c up to date in one request, if there is anything to do.
//
// It is a JSON patch and not server-side apply because applying an entry, if only its caBundle, makes us an owner of the entry:
// whoever applies the configuration (Helm 4, Argo CD) could then not remove it any more, it would stay behind without its
// required fields, and their upgrade would fail (cert-manager#4838 in a like case).
func (p *Publisher) publish(ctx context.Context, c configuration, bundle []byte) error {
	operations := c.publication(bundle)
	if len(operations) == 0 {
		return nil
	}
	body, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	patch := client.RawPatch(types.JSONPatchType, body)
	if err := p.Client.Patch(ctx, c.object, patch, client.FieldOwner(publisherFieldManager)); err != nil {
		return err
	}
	log.FromContext(ctx).Info("Published the CA bundle", "configuration", c.name, "from", p.from())
	return nil
}
