// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are git-sync's, as far as Credence uses them.
type options struct {
	repo, root, link, ref string
	depth                 int
	syncTimeout, period   time.Duration
	oneTime               bool
	maxFailures           int
	sshKeyFile            string
	sshKnownHosts         bool
	sshKnownHostsFile     string
	username, password    string
}

// setters are what the flags do. Every other flag is refused: it would be one that
// git-sync may have, and that nobody has looked at here.
func (o *options) setters() map[string]func(string) error {
	return map[string]func(string) error{
		"repo":                 text(&o.repo),
		"root":                 text(&o.root),
		"link":                 text(&o.link),
		"ref":                  text(&o.ref),
		"ssh-key-file":         text(&o.sshKeyFile),
		"ssh-known-hosts-file": text(&o.sshKnownHostsFile),
		"depth":                number(&o.depth, 0),
		"max-failures":         number(&o.maxFailures, math.MinInt),
		"sync-timeout":         duration(&o.syncTimeout),
		"period":               duration(&o.period),
		"one-time":             boolean(&o.oneTime),
		"ssh-known-hosts":      boolean(&o.sshKnownHosts),
	}
}

func text(target *string) func(string) error {
	return func(value string) error {
		*target = value
		return nil
	}
}

func number(target *int, least int) func(string) error {
	return func(value string) (err error) {
		*target, err = strconv.Atoi(value)
		if err == nil && *target < least {
			err = fmt.Errorf("must be at least %d", least)
		}
		return err
	}
}

func duration(target *time.Duration) func(string) error {
	return func(value string) (err error) {
		*target, err = time.ParseDuration(value)
		if err == nil && *target < 10*time.Millisecond {
			err = errors.New("must be at least 10ms")
		}
		return err
	}
}

func boolean(target *bool) func(string) error {
	return func(value string) (err error) {
		*target, err = strconv.ParseBool(value)
		return err
	}
}

// bare are the flags that need no value.
var bare = []string{"one-time", "ssh-known-hosts"}

// environment are the variables of git-sync's own that it may have.
var environment = []string{"GITSYNC_USERNAME", "GITSYNC_PASSWORD"}

// parse reads arguments and variables, with git-sync's defaults. No error has a value
// in it.
func parse(args, environ []string) (*options, error) {
	o := &options{ref: "HEAD", depth: 1, syncTimeout: 2 * time.Minute, period: 10 * time.Second, sshKnownHosts: true}
	setters, given := o.setters(), map[string]bool{}
	for i, arg := range args {
		name, value, valued := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		set, known := setters[name]
		if !strings.HasPrefix(arg, "--") || !known {
			return nil, fmt.Errorf("argument %d, %q: this stands in for git-sync and knows nothing but --%s", i+1, name, strings.Join(names(setters), ", --"))
		}
		if given[name] {
			return nil, fmt.Errorf("--%s is given twice", name)
		}
		given[name] = true
		if !valued {
			if !slices.Contains(bare, name) {
				return nil, fmt.Errorf("--%s needs a value, as --%s=VALUE", name, name)
			}
			value = "true"
		}
		if err := set(value); err != nil {
			return nil, fmt.Errorf("--%s: not a value that it takes: %w", name, err)
		}
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "GITSYNC_USERNAME":
			o.username = value
		case name == "GITSYNC_PASSWORD":
			o.password = value
		case strings.HasPrefix(name, "GITSYNC_"), strings.HasPrefix(name, "GIT_SYNC_"):
			return nil, fmt.Errorf("variable %s: this stands in for git-sync and knows nothing but %s", name, strings.Join(environment, ", "))
		}
	}
	return o, o.check()
}

func names(setters map[string]func(string) error) []string {
	var all []string
	for name := range setters {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (o *options) check() error {
	switch {
	case o.repo == "":
		return errors.New("--repo is needed")
	case !filepath.IsAbs(o.root):
		return errors.New("--root is needed, an absolute path")
	case o.link == "" || !filepath.IsLocal(o.link):
		return errors.New("--link is needed, a path below --root")
	case o.ref == "":
		return errors.New("--ref must not be empty")
	case (o.username == "") != (o.password == ""):
		return errors.New("GITSYNC_USERNAME and GITSYNC_PASSWORD go together")
	}
	return nil
}
