// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"cmp"
	"strconv"
	"time"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/pod"
)

// The remote of rclone that a bucket is, and what the names of its variables begin
// with.
const (
	remote         = "source:"
	remoteVariable = "RCLONE_CONFIG_SOURCE_"
)

// again runs rclone with the arguments that it gets, until that succeeds and then
// every so many seconds. rclone cannot do that itself. Nothing that people wrote is
// part of it. A shell that waits for a program hears no signal meanwhile, and as the
// first process of a container it would ignore one that it has no trap for: both would
// hold up the end of the pod.
const again = `trap 'exit 0' TERM INT
fetch() { rclone "$@" & wait "$!"; }
pause() { sleep "$1" & wait "$!"; }
until fetch "$@"; do pause 10; done
: > ` + fetched + `
while :; do pause "$PERIOD"; fetch "$@"; done
`

// fetched is there once the data is.
const fetched = scratchPath + "/fetched"

// S3 returns the container that fetches a part of a bucket, as Git does.
func (s *Settings) S3(source *v1alpha1.S3Source, entry *catalog.Entry, mode int32) (container Container, problem string) {
	if problem := wrongType(entry, v1alpha1.AccessKey, "a bucket"); problem != "" {
		return Container{}, problem
	}
	container = s.newContainer(s.S3Image)
	path := remote + source.Bucket
	if source.Prefix != "" {
		path += "/" + source.Prefix
	}
	container.Command = []string{"rclone"}
	container.Args = []string{"sync", "--retries=5", "--retries-sleep=5s", verbatim(path), DataPath}
	container.Env = append(container.Env, s3Variables(source)...)
	if entry != nil {
		problem = cmp.Or(container.setFrom(remoteVariable+"ACCESS_KEY_ID", entry, credential.RoleAccessKeyID),
			container.setFrom(remoteVariable+"SECRET_ACCESS_KEY", entry, credential.RoleSecretAccessKey))
	}
	container.trust(s, entry, "RCLONE_CA_CERT", mode)
	if source.Period != nil && problem == "" {
		period, err := time.ParseDuration(string(*source.Period))
		if err != nil || period < time.Second {
			return Container{}, "its period must be a duration such as 90s or 1h30m"
		}
		container.set("PERIOD", strconv.Itoa(int(period.Seconds())))
		container.Command = []string{"sh", "-c", again, "fetch"}
		container.stay("test -e " + fetched)
	}
	return container, problem
}

// s3Variables are what rclone knows of the bucket's server. Without an access key it
// asks anonymously.
func s3Variables(source *v1alpha1.S3Source) []pod.EnvVar {
	variables := append(make([]pod.EnvVar, 0, 12),
		pod.EnvVar{Name: "HOME", Value: scratchPath},
		pod.EnvVar{Name: "RCLONE_CONFIG", Value: "/dev/null"}, // no file, and no attempt to write one
		pod.EnvVar{Name: remoteVariable + "TYPE", Value: "s3"},
	)
	provider := "AWS"
	if source.Endpoint != "" {
		provider = "Other"
		variables = append(variables, pod.EnvVar{Name: remoteVariable + "ENDPOINT", Value: pod.Text(verbatim(source.Endpoint))})
	}
	variables = append(variables, pod.EnvVar{Name: remoteVariable + "PROVIDER", Value: pod.Text(provider)})
	if source.Region != "" {
		variables = append(variables, pod.EnvVar{Name: remoteVariable + "REGION", Value: pod.Text(verbatim(source.Region))})
	}
	return variables
}
