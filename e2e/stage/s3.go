// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const s3Host = s3Name + "." + Namespace + ".svc"

// S3 is an S3 server.
type S3 struct {
	door   door
	login  Login
	ca     []byte
	rclone string
}

// Endpoint is the address, as pods reach it.
func (s *S3) Endpoint() string { return "https://" + s3Host }

// Login is an access key, as the user, and its secret.
func (s *S3) Login() Login { return s.login }

// Put writes an object. The bucket is made if it is not there.
func (s *S3) Put(ctx context.Context, bucket, key, content string) error {
	return s.run(ctx, content, "rcat", "stage:"+bucket+"/"+key)
}

// Remove removes an object.
func (s *S3) Remove(ctx context.Context, bucket, key string) error {
	return s.run(ctx, "", "deletefile", "stage:"+bucket+"/"+key)
}

// run runs rclone on this machine. It is told the login by variables alone.
func (s *S3) run(ctx context.Context, input string, args ...string) error {
	dir, err := os.MkdirTemp("", "credence-stage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certificates := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(certificates, s.ca, 0o600); err != nil {
		return err
	}
	address, err := s.door.address(ctx)
	if err != nil {
		return err
	}
	const remote = "RCLONE_CONFIG_STAGE_"
	cmd := exec.CommandContext(ctx, s.rclone, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = []string{
		"HOME=" + dir, "RCLONE_CONFIG=/dev/null", "RCLONE_CA_CERT=" + certificates,
		"RCLONE_RETRIES=1", "RCLONE_LOW_LEVEL_RETRIES=1", "RCLONE_CONTIMEOUT=10s", "RCLONE_TIMEOUT=30s",
		remote + "TYPE=s3", remote + "PROVIDER=Other", remote + "ENDPOINT=https://" + address,
		remote + "ACCESS_KEY_ID=" + s.login.Username, remote + "SECRET_ACCESS_KEY=" + s.login.Password,
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("rclone %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(said)))
	}
	return nil
}
