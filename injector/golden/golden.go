// SPDX-License-Identifier: Apache-2.0

// Package golden reads the golden cases of injection, for tests only: what a
// workload gets, and what is said to its author, as files that people can read.
// The same cases run through package manifest, through the command and through the
// webhook.
//
// A case is a folder with
//
//	workload.yaml  what somebody applies; a comment says what the case shows
//	assets.yaml    Credentials, Namespaces and Secrets, if not the shared ones
//	flags.txt      flags of "credence inject", if any but -n team-a
//	want.yaml      what is printed; absent if the workload is refused
//	messages.txt   warnings and errors, one a line; absent if there are none
//
// It imports nothing of this module.
package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// The files of a case.
const (
	WorkloadFile = "workload.yaml"
	AssetsFile   = "assets.yaml"
	flagsFile    = "flags.txt"
	wantFile     = "want.yaml"
	messagesFile = "messages.txt"
)

// notCases are folders that hold something else.
var notCases = []string{"benchmark", "fuzz"}

// Case is one golden case.
type Case struct {
	// Name is that of the folder, Folder its path.
	Name, Folder string
	// Workload is what somebody applies.
	Workload []byte
	// Assets is the path of the assets.
	Assets string
	// Flags are those of the command.
	Flags Flags
	// Want is what is printed, nil if the workload is refused.
	Want []byte
	// Messages are the lines on standard error.
	Messages []string
}

// Flags are the flags of "credence inject" that cases use.
type Flags struct {
	Namespace    string
	Output       string
	PullSecrets  bool
	ProjectLabel string
	// Text is all of them as written.
	Text []string
}

// Load reads the cases below a folder, by name. A file that belongs to no case is
// an error: nobody would notice that it is not used.
func Load(root string) ([]Case, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, entry := range entries {
		switch {
		case entry.IsDir() && slices.Contains(notCases, entry.Name()), entry.Name() == AssetsFile:
		case entry.IsDir():
			c, err := load(root, entry.Name())
			if err != nil {
				return nil, fmt.Errorf("case %s: %w", entry.Name(), err)
			}
			cases = append(cases, c)
		default:
			return nil, fmt.Errorf("%s belongs to no case", filepath.Join(root, entry.Name()))
		}
	}
	return cases, nil
}

func load(root, name string) (c Case, err error) {
	c = Case{Name: name, Folder: filepath.Join(root, name), Assets: filepath.Join(root, AssetsFile)}
	entries, err := os.ReadDir(c.Folder)
	if err != nil {
		return c, err
	}
	for _, entry := range entries {
		switch entry.Name() {
		case WorkloadFile, flagsFile, wantFile, messagesFile:
		case AssetsFile:
			c.Assets = filepath.Join(c.Folder, AssetsFile)
		default:
			return c, fmt.Errorf("nobody reads %s", entry.Name())
		}
	}
	flags, errFlags := c.read(flagsFile)
	messages, errMessages := c.read(messagesFile)
	var errWorkload, errWant error
	c.Workload, errWorkload = os.ReadFile(filepath.Join(c.Folder, WorkloadFile))
	c.Want, errWant = c.read(wantFile)
	c.Messages = strings.FieldsFunc(string(messages), func(r rune) bool { return r == '\n' })
	return c, errors.Join(errFlags, errMessages, errWorkload, errWant, c.Flags.parse(string(flags)))
}

// read returns nil for a file that does not exist.
func (c *Case) read(file string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(c.Folder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil {
		text = []byte{}
	}
	return text, err
}

func (f *Flags) parse(text string) error {
	f.Text = strings.Fields(text)
	flags := pflag.NewFlagSet("inject", pflag.ContinueOnError)
	flags.StringVarP(&f.Namespace, "namespace", "n", "team-a", "")
	flags.StringVarP(&f.Output, "output", "o", "yaml", "")
	flags.BoolVar(&f.PullSecrets, "pull-secrets", false, "")
	flags.StringVar(&f.ProjectLabel, "project-label", "", "")
	return flags.Parse(f.Text)
}

// Write makes what was got what is wanted.
func (c *Case) Write(got []byte, messages []string) error {
	var text []byte
	for _, message := range messages {
		text = append(text, message+"\n"...)
	}
	return errors.Join(c.write(wantFile, got), c.write(messagesFile, text))
}

func (c *Case) write(file string, text []byte) error {
	path := filepath.Join(c.Folder, file)
	if text == nil {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(path, text, 0o644)
}

// Pod returns the workload as JSON, as a webhook gets it, if it is just one Pod and
// not the manifest itself is refused.
func (c *Case) Pod() (document []byte, ok bool) {
	document, err := yaml.YAMLToJSON(c.Workload)
	if err != nil || bytes.Contains(c.Workload, []byte("\n---")) {
		return nil, false
	}
	if _, refusal := c.Sentences(); c.Want == nil && refusal == "" {
		return nil, false
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	err = yaml.Unmarshal(document, &head)
	return document, err == nil && head.APIVersion == "v1" && head.Kind == "Pod"
}

// Sentences returns what a webhook says about a case that is just one Pod: the
// messages about it, without where it stands.
func (c *Case) Sentences() (warnings []string, refusal string) {
	for _, message := range c.Messages {
		about, sentence, ok := strings.Cut(message, "Pod ")
		if !ok {
			continue // about an asset
		}
		_, sentence, _ = strings.Cut(sentence, ": ")
		if strings.HasPrefix(about, "Error: ") {
			refusal = sentence
		} else if about == "Warning: " {
			warnings = append(warnings, sentence)
		}
	}
	return warnings, refusal
}
