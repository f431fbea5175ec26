// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// addEnv reads "<credential>/<key or role>[;containers=a,b]".
func (w *parser) addEnv(key, variable, value string) *Error {
	if err := w.count(key, 1); err != nil {
		return err
	}
	if problems := validation.IsRelaxedEnvVarName(variable); len(problems) > 0 {
		return failed(key, fmt.Sprintf("%s cannot be the name of an environment variable: %s", Quote(variable), problems[0]))
	}
	reference, options, err := parseOptions(key, value, optionContainers)
	if err != nil {
		return err
	}
	name, secretKey, ok := strings.Cut(reference, "/")
	if !ok || name == "" || secretKey == "" {
		return failed(key, fmt.Sprintf("the value must be <credential>/<key or role>, not %s", Quote(reference)))
	}
	if err := checkCredentialName(key, name); err != nil {
		return err
	}
	if err := checkKey(key, secretKey); err != nil {
		return err
	}
	env := Env{Annotation: key, Variable: variable, Credential: name, Key: secretKey}
	if containers, ok := options[optionContainers]; ok {
		if env.Containers, err = parseContainers(key, containers); err != nil {
			return err
		}
	}
	w.Env = append(w.Env, env)
	return nil
}

// addEnvLines reads lines of "<VAR>=<credential>/<key or role>[;containers=a,b]".
func (w *parser) addEnvLines(key, value string) *Error {
	if strings.TrimSpace(value) == "" {
		return failed(key, "the value is empty; it must have at least one line <VAR>=<credential>/<key or role>")
	}
	for number, line := range strings.Split(value, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		variable, reference, ok := strings.Cut(line, "=")
		if !ok {
			return failed(key, fmt.Sprintf("line %d must be <VAR>=<credential>/<key or role>, not %s", number+1, Quote(line)))
		}
		if err := w.addEnv(key, strings.TrimSpace(variable), strings.TrimSpace(reference)); err != nil {
			err.Problem = InLine(number+1, err.Problem)
			return err
		}
		w.Env[len(w.Env)-1].Line = number + 1
	}
	return nil
}

// InLine says which line of a value has a problem.
func InLine(line int, problem string) string { return fmt.Sprintf("line %d: %s", line, problem) }

func checkKey(key, secretKey string) *Error {
	if len(validation.IsConfigMapKey(secretKey)) > 0 {
		return failed(key, Quote(secretKey)+" cannot be a key of a Secret, which is made of letters, digits, '-', '_' and '.'")
	}
	return nil
}

// The options that may follow a reference.
const (
	optionContainers = "containers"
	optionMode       = "mode"
	optionKeys       = "keys"
)

// parseOptions cuts "<reference>[;<option>=<value>]…" apart.
func parseOptions(key, value string, allowed ...string) (reference string, options map[string]string, err *Error) {
	reference, rest, more := strings.Cut(value, ";")
	reference = strings.TrimSpace(reference)
	for more {
		var option string
		option, rest, more = strings.Cut(rest, ";")
		name, argument, ok := strings.Cut(option, "=")
		name, argument = strings.TrimSpace(name), strings.TrimSpace(argument)
		if !slices.Contains(allowed, name) {
			return "", nil, failed(key, fmt.Sprintf("option %s is unknown (options: %s)%s", Quote(name), strings.Join(allowed, ", "), Nearest(name, allowed)))
		}
		if !ok || argument == "" {
			return "", nil, failed(key, fmt.Sprintf("option %q has no value", name))
		}
		if _, twice := options[name]; twice {
			return "", nil, failed(key, fmt.Sprintf("option %q is given twice", name))
		}
		if options == nil {
			options = map[string]string{}
		}
		options[name] = argument
	}
	return reference, options, nil
}
