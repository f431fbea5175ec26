// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/validation"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/manifest"
)

// newInjectCommand makes "credence inject": what the webhooks would do, offline.
func newInjectCommand() *cobra.Command {
	var (
		files, assets []string
		output        string
		layout        = credential.DefaultLayout()
		settings      = fetch.Default()
		options       = manifest.Options{Fetch: &settings}
	)
	command := &cobra.Command{
		Use:   "inject -f workload.yaml --assets assets.yaml -n team-a",
		Short: "Inject credentials and assets into workload manifests, without a cluster",
		Long: `Inject reads workload manifests and prints them as they would be after
admission: with the image pull secrets, environment variables and mounts of the
credentials that they name.

Manifests may be YAML or JSON, several documents, Lists, and any workload kind.
The assets are the Credentials, Environments, DataSources, WorkloadTemplates,
WorkloadKinds and Namespaces of the cluster, as manifests, and optionally the
Secrets: with them, keys and registries are checked. No value of a Secret is ever
printed.

In workloads the pod template is injected into. Image pull secrets are for pods
only, as Kubernetes adds those of the service account just where a pod has none;
--pull-secrets adds them to templates too.`,
		Example: `  credence inject -f pod.yaml --assets assets/ -n team-a
  kustomize build | credence inject -f - --assets assets.yaml -n team-a -o patch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := manifest.Format(output)
			if !slices.Contains([]manifest.Format{manifest.YAML, manifest.JSON, manifest.Patch}, format) {
				return fmt.Errorf("output format %q is unknown; it is yaml, json or patch", output)
			}
			if problems := validation.ValidateNamespaceName(options.Namespace, false); len(problems) > 0 {
				return fmt.Errorf("%q cannot be the name of a namespace: %s", options.Namespace, problems[0])
			}
			if err := settings.Validate(); err != nil {
				return err
			}
			return inject(cmd, files, assets, layout, options, format)
		},
	}
	flags := command.Flags()
	flags.StringArrayVarP(&files, "filename", "f", nil, "workload manifests: a file, a folder, or - for standard input; may be repeated")
	flags.StringArrayVar(&assets, "assets", nil, "Credentials, Environments, DataSources, WorkloadTemplates, WorkloadKinds, Namespaces and Secrets: a file or a folder; may be repeated")
	flags.StringVarP(&options.Namespace, "namespace", "n", "default", "the namespace of objects that name none")
	flags.StringVarP(&output, "output", "o", string(manifest.YAML), "yaml, json, or patch: one JSON array of operations for each changed document")
	flags.BoolVar(&options.PullSecrets, "pull-secrets", false, "add image pull secrets to the pod templates of workloads too")
	addLayoutFlags(flags, &layout)
	addFetchFlags(flags, &settings)
	_ = command.MarkFlagRequired("filename")
	return command
}

func inject(cmd *cobra.Command, files, assetFiles []string, layout credential.Layout, options manifest.Options, format manifest.Format) error {
	if reads := count(files, manifest.StandardInput) + count(assetFiles, manifest.StandardInput); reads > 1 {
		return errors.New("standard input (-) can be read only once")
	}
	assetDocuments, err := readAll(cmd, assetFiles)
	if err != nil {
		return err
	}
	assets, err := manifest.ReadAssets(assetDocuments)
	if err != nil {
		return err
	}
	documents, err := readAll(cmd, files)
	if err != nil {
		return err
	}
	options.Kinds = assets.Kinds()
	known, problems := assets.Catalog(layout, options.Namespace)
	for _, problem := range problems {
		cmd.PrintErrln("Warning:", problem)
	}
	var (
		injected []manifest.Injected
		refusals []error
	)
	for _, document := range documents {
		result, err := manifest.Inject(known, document, options)
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		for _, warning := range result.Warnings {
			cmd.PrintErrln("Warning:", warning)
		}
		injected = append(injected, result)
	}
	if len(refusals) > 0 { // nothing is printed: half of a set of manifests is easily applied by mistake
		return errors.Join(refusals...)
	}
	return manifest.Write(cmd.OutOrStdout(), injected, format)
}

func count(names []string, name string) (n int) {
	for _, one := range names {
		if one == name {
			n++
		}
	}
	return n
}

func readAll(cmd *cobra.Command, names []string) ([]manifest.Document, error) {
	var documents []manifest.Document
	for _, name := range names {
		more, err := manifest.ReadFile(name, cmd.InOrStdin())
		if err != nil {
			return nil, err
		}
		documents = append(documents, more...)
	}
	return documents, nil
}
