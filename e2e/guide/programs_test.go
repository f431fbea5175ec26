// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/local"
)

// kubectl is the real one.
func kubectl() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	os.Exit(0)
}

// helm is one that installs nothing: Credence runs already. It renders the chart with
// the values that it is given, so that those which the chart does not know are refused.
func helm() {
	if err := helmCommand(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func helmCommand(args []string) error {
	flags := pflag.NewFlagSet("helm", pflag.ContinueOnError)
	namespace := flags.StringP("namespace", "n", "", "")
	sets := flags.StringArray("set", nil, "")
	files := flags.StringArrayP("values", "f", nil, "")
	for _, name := range []string{"create-namespace", "wait", "install", "reset-then-reuse-values"} {
		flags.Bool(name, false, "")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *namespace != local.InstallNamespace {
		return fmt.Errorf("the namespace is %q", *namespace)
	}
	switch command := flags.Arg(0); {
	case command == "uninstall" && flags.NArg() == 2:
		return nil
	case (command == "install" || command == "upgrade") && flags.NArg() == 3:
		values, err := helmValues(*files, *sets)
		if err != nil {
			return err
		}
		_, err = chart.Render(os.DirFS(flags.Arg(2)), chart.Release{
			Name: flags.Arg(1), Namespace: *namespace, KubeVersion: local.KubeVersion, Values: values, Upgrade: command == "upgrade",
		})
		return err
	}
	return errors.New("only install, upgrade and uninstall are known")
}

func helmValues(files, sets []string) (map[string]any, error) {
	values := map[string]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(text, &values); err != nil {
			return nil, err
		}
	}
	for _, set := range sets {
		if err := strvals.ParseInto(set, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}
