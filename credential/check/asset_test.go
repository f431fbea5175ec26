// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/check"
)

const system = "credence-credentials"

// cluster is what the tests' assets are in: two departments with a project each.
func cluster() *catalog.Catalog {
	known := catalog.New(credential.DefaultLayout())
	known.SetNamespace(system, nil)
	known.SetNamespace("plain", nil)
	known.SetNamespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	known.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "research"})
	known.SetNamespace("team-b", map[string]string{v1alpha1.LabelProject: "b", v1alpha1.LabelDepartment: "sales"})
	for _, c := range []*v1alpha1.Credential{
		ready(system, "hub", "", v1alpha1.DockerRegistry, ".dockerconfigjson=.dockerconfigjson"),
		ready(system, "bucket", "", v1alpha1.AccessKey, "AccessKeyId=accessKeyId", "SecretKey=secretAccessKey"),
		ready(system, "other-bucket", "", v1alpha1.AccessKey, "AccessKeyId=accessKeyId", "SecretKey=secretAccessKey"),
		ready(system, "login", "", v1alpha1.Password, "username=username", "password=password"),
		ready(system, "deploy", "", v1alpha1.SSHKey, "ssh-privatekey=privateKey", "known_hosts=knownHosts"),
		ready(system, "unhosted", "", v1alpha1.SSHKey, "ssh-privatekey=privateKey"),
		ready(system, "openai", "", v1alpha1.Generic, "TOKEN"),
		ready(system, "another", "", v1alpha1.Generic, "TOKEN", "URL"),
		ready(system, "of-research", "research", v1alpha1.Generic, "TOKEN"),
		ready(system, "of-sales", "sales", v1alpha1.Generic, "TOKEN"),
		ready("team-a", "of-a", "", v1alpha1.Generic, "TOKEN"),
		ready("team-b", "of-b", "", v1alpha1.Generic, "TOKEN"),
		injected(ready(system, "mounted", "", v1alpha1.Generic, "TOKEN"), v1alpha1.Injection{MountPath: "/data/mounted"}),
		injected(ready(system, "mounted-too", "", v1alpha1.Generic, "TOKEN"), v1alpha1.Injection{MountPath: "/data/mounted"}),
		injected(ready(system, "misled", "", v1alpha1.Generic, "TOKEN"), v1alpha1.Injection{Env: []v1alpha1.InjectionEnv{{Name: "A", Key: "nowhere"}}}),
		failing(ready(system, "broken", "", v1alpha1.Generic, "TOKEN"), v1alpha1.ReasonSourceInvalid),
		bare(ready(system, "new", "", v1alpha1.Generic)),
		going(ready(system, "going", "", v1alpha1.Generic, "TOKEN")),
		unseen(failing(ready(system, "unmade", "", v1alpha1.Generic), v1alpha1.ReasonSourceMissing)),
		ready(system, "future", "", "hologram", "TOKEN"),
	} {
		known.Set(catalog.NewEntry(c))
	}
	return known
}

// ready is a credential with its keys, each with "=" and its role if it has one.
func ready(namespace, name, department string, of v1alpha1.CredentialType, keys ...string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}}
	c.Spec = v1alpha1.CredentialSpec{Type: of, Scope: scopeIn(namespace, department), SecretRef: v1alpha1.SecretReference{Name: name}}
	c.Status.ObservedGeneration = 1
	for _, key := range keys {
		key, role, _ := strings.Cut(key, "=")
		c.Status.Keys = append(c.Status.Keys, v1alpha1.SecretKey{Key: key, Role: role})
	}
	return c
}

func scopeIn(namespace, department string) v1alpha1.Scope {
	switch {
	case department != "":
		return v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	case namespace == system:
		return v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
	}
	return v1alpha1.Scope{Level: v1alpha1.ScopeProject}
}

func injected(c *v1alpha1.Credential, injection v1alpha1.Injection) *v1alpha1.Credential {
	c.Spec.Injection = &injection
	return c
}

func failing(c *v1alpha1.Credential, reason string) *v1alpha1.Credential {
	c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason}}
	return c
}

func bare(c *v1alpha1.Credential) *v1alpha1.Credential {
	c.Status = v1alpha1.CredentialStatus{}
	return c
}

func unseen(c *v1alpha1.Credential) *v1alpha1.Credential {
	c.Status.Keys = nil
	return c
}

func going(c *v1alpha1.Credential) *v1alpha1.Credential {
	c.DeletionTimestamp = &metav1.Time{}
	return c
}

// assetOf makes an asset of "<kind> <namespace> [<department>]" and a spec without its
// scope.
func assetOf(t *testing.T, what, spec string) *asset.Asset {
	t.Helper()
	words := append(strings.Fields(what), "")
	var object metav1.Object
	var head *v1alpha1.AssetHead
	read := func(into any) {
		if err := yaml.UnmarshalStrict([]byte(spec), into); err != nil {
			t.Fatal(err)
		}
	}
	switch asset.Kind(words[0]) {
	case asset.Environment:
		one := &v1alpha1.Environment{}
		read(&one.Spec)
		object, head = one, &one.Spec.AssetHead
	case asset.DataSource:
		one := &v1alpha1.DataSource{}
		read(&one.Spec)
		object, head = one, &one.Spec.AssetHead
	default:
		one := &v1alpha1.WorkloadTemplate{}
		read(&one.Spec)
		object, head = one, &one.Spec.AssetHead
	}
	head.Scope = scopeIn(words[1], words[2])
	name, named := strings.CutPrefix(head.DisplayName, "named ")
	if head.DisplayName = ""; !named {
		name = "it"
	}
	object.SetNamespace(words[1])
	object.SetName(name)
	return asset.New(object)
}

// told are faults as they are told, with a question mark behind those that wait.
func told(faults []check.Fault) (lines []string) {
	for i := range faults {
		line := faults[i].Reason + " " + faults[i].Error()
		if faults[i].Waits {
			line += " (?)"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestAsset(t *testing.T) {
	const env, source, template = "Environment ", "DataSource ", "WorkloadTemplate "
	for name, test := range map[string]struct {
		what, spec string
		want       []string
	}{
		"all is well":           {env + system, "{env: [{name: A, value: x}, {name: B, credential: {name: login, key: password}}], credentials: [bucket, hub, deploy, openai]}", nil},
		"names of wider scopes": {env + "team-a", "{credentials: [openai], env: [{name: A, credential: {name: of-research, key: TOKEN}}, {name: B, credential: {name: of-a, key: TOKEN}}]}", nil},
		"a role":                {env + system, "{env: [{name: A, credential: {name: bucket, key: secretAccessKey}}]}", nil},
		"a key that is taken at its word": {env + system, "{env: [{name: A, credential: {name: going, key: TOKEN}}]}",
			[]string{`ReferenceNotReady spec.env[0].credential: credential "going" is being deleted (?)`}},

		"no project": {env + "plain", "{credentials: [unheard-of]}",
			[]string{"NotAProject metadata.namespace: namespace plain is not a project, not a department's home and not the system namespace; label it credence.dev/project=<name>, or create the environment elsewhere (?)"}},
		"a wrong namespace": {source + "team-a research", "{secret: {credential: openai, mountPath: /a}}",
			[]string{"WrongNamespace metadata.namespace: a data source of department research must be in the system namespace credence-credentials or in the department's home (a namespace labelled credence.dev/department-home=research), not in team-a (?)"}},

		"unknown in a project":      {env + "team-a", "{credentials: [opnai]}", []string{`ReferenceNotFound spec.credentials[0]: there is no credential "opnai" in namespace team-a; did you mean "openai"? (?)`}},
		"of another project":        {env + "team-a", "{credentials: [of-b]}", []string{`ReferenceNotFound spec.credentials[0]: there is no credential "of-b" in namespace team-a; did you mean "of-a"? (?)`}},
		"unknown in a department":   {env + "home research", "{credentials: [of-sales]}", []string{`ReferenceNotFound spec.credentials[0]: there is no credential "of-sales" for the whole of department research (?)`}},
		"of a part of a department": {env + "home research", "{credentials: [of-a]}", []string{`ReferenceNotFound spec.credentials[0]: credential "of-a" of namespace team-a does not cover all of the asset's scope, which is department research (?)`}},
		"of a part of the cluster":  {env + system, "{credentials: [of-sales]}", []string{`ReferenceNotFound spec.credentials[0]: credential "of-sales" of department sales does not cover all of the asset's scope, which is the cluster (?)`}},
		"unknown in the cluster":    {env + system, "{credentials: [unheard-of]}", []string{`ReferenceNotFound spec.credentials[0]: there is no credential "unheard-of" for the whole of the cluster (?)`}},
		"an unknown environment":    {template + "team-a", "{environment: torhc}", []string{`ReferenceNotFound spec.environment: there is no environment "torhc" in namespace team-a; did you mean "torch"? (?)`}},
		"an unknown data source":    {template + "team-a", "{dataSources: [x]}", []string{`ReferenceNotFound spec.dataSources[0]: there is no data source "x" in namespace team-a (?)`}},
		"an environment of a part":  {template + system, "{environment: of-a}", []string{`ReferenceNotFound spec.environment: environment "of-a" of namespace team-a does not cover all of the asset's scope, which is the cluster (?)`}},
		"a credential of that name": {template + "team-a", "{environment: openai}", []string{`ReferenceNotFound spec.environment: there is no environment "openai" in namespace team-a (?)`}},
		"an environment at fault":   {template + "team-a", "{environment: faulty}", []string{`ReferenceNotReady spec.environment: environment "faulty" is at fault: spec.credentials[0]: there is no credential "of-a" for the whole of department research (?)`}},
		"an environment that clashes": {template + "team-a", "{environment: clashing}",
			[]string{`ReferenceNotReady spec.environment: environment "clashing" is at fault: spec.credentials[1]: variable TOKEN is wanted from credential "openai" and from credential "another" (?)`}},
		"an environment that is going": {template + "team-a", "{environment: leaving}", []string{`ReferenceNotReady spec.environment: environment "leaving" is being deleted (?)`}},

		"HTTPS with an SSH key":          {source + system, "{git: {repository: 'https://git.example.com/a.git', path: /a, credential: deploy}}", []string{`ReferenceInvalid spec.git.credential: credential "deploy" has type ssh-key; a repository at https:// takes one of type password`}},
		"SSH with a password":            {source + system, "{git: {repository: 'git@git.example.com:a.git', path: /a, credential: login}}", []string{`ReferenceInvalid spec.git.credential: credential "login" has type password; a repository that is reached by SSH takes one of type ssh-key`}},
		"SSH with a password, ssh://":    {source + system, "{git: {repository: 'ssh://git.example.com/a.git', path: /a, credential: login, skipHostKeyCheck: true}}", []string{`ReferenceInvalid spec.git.credential: credential "login" has type password; a repository that is reached by SSH takes one of type ssh-key`}},
		"S3 with a password":             {source + system, "{s3: {bucket: b, path: /a, credential: login}}", []string{`ReferenceInvalid spec.s3.credential: credential "login" has type password; a bucket takes one of type access-key`}},
		"SSH without host keys":          {source + system, "{git: {repository: 'git@git.example.com:a.git', path: /a, credential: unhosted}}", []string{`ReferenceInvalid spec.git.credential: credential "unhosted" has no key known_hosts, which the host is known by; add it to its Secret, or set skipHostKeyCheck (?)`}},
		"SSH without checking":           {source + system, "{git: {repository: 'git@git.example.com:a.git', path: /a, credential: unhosted, skipHostKeyCheck: true}}", nil},
		"SSH":                            {source + system, "{git: {repository: 'git@git.example.com:a.git', path: /a, credential: deploy}}", nil},
		"HTTPS":                          {source + system, "{git: {repository: 'https://git.example.com/a.git', path: /a, credential: login}}", nil},
		"HTTPS without credential":       {source + system, "{git: {repository: 'https://git.example.com/a.git', path: /a}}", nil},
		"S3":                             {source + system, "{s3: {bucket: b, path: /a, credential: bucket}}", nil},
		"S3 without credential":          {source + system, "{s3: {bucket: b, path: /a}}", nil},
		"a docker config as variable":    {env + system, "{env: [{name: A, credential: {name: hub, key: .dockerconfigjson}}]}", nil},
		"a part of a docker config":      {env + system, "{env: [{name: A, credential: {name: hub, key: password}}]}", []string{`ReferenceInvalid spec.env[0].credential: credential "hub" of type docker-registry can be a variable by its key .dockerconfigjson only, not by "password"`}},
		"an unknown key":                 {env + system, "{env: [{name: A, credential: {name: login, key: pasword}}]}", []string{`ReferenceInvalid spec.env[0].credential.key: credential "login" of type password has no key "pasword" (keys: username, password); did you mean "password"? (?)`}},
		"an unknown key of a mount":      {template + system, "{mounts: [{credential: login, mountPath: /a, keys: [{key: username}, {key: x}]}]}", []string{`ReferenceInvalid spec.mounts[0].keys[1].key: credential "login" of type password has no key "x" (keys: username, password) (?)`}},
		"an unknown key of an injection": {template + system, "{credentials: [misled]}", []string{`ReferenceInvalid spec.credentials[0]: credential "misled" of type generic has no key "nowhere" (keys: TOKEN) (?)`}},

		"a credential with an invalid source": {env + system, "{credentials: [broken]}", []string{`ReferenceNotReady spec.credentials[0]: credential "broken" cannot be used: its Secret has the wrong type or keys (?)`}},
		"a credential that is behind":         {env + system, "{credentials: [new]}", []string{`ReferenceNotReady spec.credentials[0]: credential "new" is still being prepared (?)`}},
		"a credential without its Secret":     {source + system, "{secret: {credential: unmade, mountPath: /a}}", []string{`ReferenceNotReady spec.secret.credential: credential "unmade" is still being prepared: its Secret does not exist yet (?)`}},
		"a type of tomorrow":                  {env + system, "{credentials: [future]}", []string{`ReferenceNotReady spec.credentials[0]: credential "future" has a type that this version of Credence does not know: hologram (?)`}},
		"the wrong type, and not ready": {source + system, "{s3: {bucket: b, path: /a, credential: new}}",
			[]string{`ReferenceInvalid spec.s3.credential: credential "new" has type generic; a bucket takes one of type access-key`}},

		"one variable from two credentials": {env + system, "{credentials: [bucket, other-bucket]}", []string{
			`Conflict spec.credentials[1]: variable AWS_ACCESS_KEY_ID is wanted from credential "bucket" key AccessKeyId and from credential "other-bucket" key AccessKeyId`,
			`Conflict spec.credentials[1]: variable AWS_SECRET_ACCESS_KEY is wanted from credential "bucket" key SecretKey and from credential "other-bucket" key SecretKey`,
		}},
		"one variable from one key twice": {env + system, "{env: [{name: AWS_ACCESS_KEY_ID, credential: {name: bucket, key: accessKeyId}}], credentials: [bucket]}", nil},
		"one variable from two keys": {template + system, "{env: [{name: AWS_ACCESS_KEY_ID, credential: {name: bucket, key: SecretKey}}], credentials: [bucket]}",
			[]string{`Conflict spec.env[0]: variable AWS_ACCESS_KEY_ID is wanted from credential "bucket" key AccessKeyId and from credential "bucket" key SecretKey`}},
		"a value and a credential": {env + system, "{env: [{name: AWS_ACCESS_KEY_ID, value: not-a-secret}], credentials: [bucket]}",
			[]string{`Conflict spec.credentials[0]: variable AWS_ACCESS_KEY_ID is wanted from a value of its own and from credential "bucket" key AccessKeyId`}},
		"all keys of two credentials": {env + system, "{credentials: [openai, another]}",
			[]string{`Conflict spec.credentials[1]: variable TOKEN is wanted from credential "openai" and from credential "another" (?)`}},
		"all keys and a variable": {env + system, "{credentials: [openai], env: [{name: TOKEN, credential: {name: another, key: TOKEN}}]}",
			[]string{`Conflict spec.credentials[0]: variable TOKEN is wanted from credential "another" key TOKEN and from credential "openai" (?)`}},
		"all keys and one of them": {env + system, "{credentials: [another], env: [{name: TOKEN, credential: {name: another, key: URL}}]}", nil},
		"all keys and a value": {env + system, "{credentials: [openai], env: [{name: TOKEN, value: not-a-secret}]}",
			[]string{`Conflict spec.credentials[0]: variable TOKEN is wanted from a value of its own and from credential "openai" (?)`}},

		"one path for two":         {template + system, "{mounts: [{credential: openai, mountPath: /a}, {credential: another, mountPath: /a/}]}", []string{`Conflict spec.mounts[1].mountPath: path /a is wanted by credential "openai" and by credential "another"`}},
		"one path twice for one":   {template + system, "{mounts: [{credential: openai, mountPath: /a}, {credential: openai, mountPath: /a/, mode: 256}]}", nil},
		"one path with two modes":  {template + system, "{mounts: [{credential: openai, mountPath: /a, mode: 288}, {credential: openai, mountPath: /a/, mode: 256}]}", []string{`Conflict spec.mounts[1].mountPath: path /a is wanted by credential "openai" and by credential "openai"`}},
		"one path with other keys": {template + system, "{mounts: [{credential: another, mountPath: /a, keys: [{key: URL}]}, {credential: another, mountPath: /a/}]}", []string{`Conflict spec.mounts[1].mountPath: path /a is wanted by credential "another" and by credential "another"`}},
		"a path in a path":         {template + system, "{mounts: [{credential: openai, mountPath: /a/b}, {credential: openai, mountPath: /a}]}", []string{`Conflict spec.mounts[1].mountPath: path /a/b of credential "openai" and path /a of credential "openai" lie in one another`}},
		"a path beside a path":     {template + system, "{mounts: [{credential: openai, mountPath: /a/bc}, {credential: openai, mountPath: /a/b}]}", nil},
		"paths of what is not there": {template + system, "{mounts: [{credential: x, mountPath: /a}, {credential: z, mountPath: /a/b}]}", []string{
			`ReferenceNotFound spec.mounts[0].credential: there is no credential "x" for the whole of the cluster (?)`,
			`ReferenceNotFound spec.mounts[1].credential: there is no credential "z" for the whole of the cluster (?)`,
			`Conflict spec.mounts[1].mountPath: path /a of credential "x" and path /a/b of credential "z" lie in one another`,
		}},
		"a path of an injection":    {template + system, "{credentials: [mounted, mounted-too]}", []string{`Conflict spec.credentials[1]: path /data/mounted is wanted by credential "mounted" and by credential "mounted-too"`}},
		"a path of a default mount": {template + system, "{credentials: [deploy], mounts: [{credential: openai, mountPath: /etc/credence}]}", []string{`Conflict spec.mounts[0].mountPath: path /etc/credence/deploy of credential "deploy" and path /etc/credence of credential "openai" lie in one another`}},
		"one file for two keys":     {source + system, "{secret: {credential: another, mountPath: /a, keys: [{key: TOKEN, file: x}, {key: URL, file: x}]}}", []string{`Conflict spec.secret.keys[1]: keys TOKEN and URL want the same file "x"`}},
		"a file in a file":          {source + system, "{secret: {credential: another, mountPath: /a, keys: [{key: TOKEN, file: x/y}, {key: URL, file: x}]}}", []string{`Conflict spec.secret.keys[1]: files "x/y" and "x" lie in one another`}},
		"one file, of what is not there": {source + system, "{secret: {credential: x, mountPath: /a, keys: [{key: TOKEN, file: x}, {key: URL, file: x}]}}", []string{
			`ReferenceNotFound spec.secret.credential: there is no credential "x" for the whole of the cluster (?)`,
			`Conflict spec.secret.keys[1]: keys TOKEN and URL want the same file "x"`,
		}},

		"a template and its environment": {template + "team-a", "{environment: torch, env: [{name: LEVEL, value: other}]}",
			[]string{`Conflict spec.env[0]: variable LEVEL is wanted from a value of its own (environment "torch") and from a value of its own (?)`}},
		"a template that says the same": {template + "team-a", "{environment: torch, env: [{name: LEVEL, value: debug}], credentials: [bucket]}", nil},
		"two data sources at one path": {template + "team-a", "{dataSources: [repo, data]}",
			[]string{`Conflict spec.dataSources[1]: path /data of the repository (data source "repo") and path /data/b of the bucket (data source "data") lie in one another (?)`}},
		"a data source and a mount": {template + "team-a", "{dataSources: [repo], mounts: [{credential: openai, mountPath: /data}]}",
			[]string{`Conflict spec.mounts[0].mountPath: path /data is wanted by the repository (data source "repo") and by credential "openai" (?)`}},
		"all keys in an environment and a variable of the template": {template + "team-a", "{environment: keyed, env: [{name: TOKEN, value: x}]}",
			[]string{`Conflict spec.env[0]: variable TOKEN is wanted from a value of its own and from credential "openai" (environment "keyed") (?)`}},
	} {
		t.Run(name, func(t *testing.T) {
			known := cluster()
			for what, spec := range map[string]string{
				env + "team-a":          "{displayName: named of-a, image: a}",
				env + system:            "{displayName: named torch, image: a, env: [{name: LEVEL, value: debug}], credentials: [bucket]}",
				env + system + " ":      "{displayName: named clashing, credentials: [openai, another]}",
				env + system + "  ":     "{displayName: named keyed, credentials: [openai]}",
				env + "home research":   "{displayName: named faulty, credentials: [of-a, of-sales]}",
				source + system:         "{displayName: named repo, git: {repository: 'https://git.example.com/a.git', path: /data}}",
				source + system + "   ": "{displayName: named data, s3: {bucket: b, path: /data/b}}",
			} {
				known.SetAsset(assetOf(t, what, spec))
			}
			leaving := assetOf(t, env+"team-a", "{displayName: named leaving, image: a}")
			leaving.DeletedAt = &metav1.Time{}
			known.SetAsset(leaving)

			a := assetOf(t, test.what, test.spec)
			if diff := cmp.Diff(test.want, told(check.Asset(known, a))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every reference of an asset is looked up: where nothing exists, each is missing.
func TestEveryReferenceIsLookedUp(t *testing.T) {
	for what, spec := range map[string]string{
		"Environment " + system:      "{env: [{name: A, value: x}, {name: B, credential: {name: a, key: k}}], credentials: [b, c]}",
		"DataSource " + system:       "{git: {repository: 'https://git.example.com/a.git', path: /a, credential: a}}",
		"DataSource " + system + " ": "{s3: {bucket: b, path: /a, credential: a}}",
		"DataSource  " + system:      "{secret: {credential: a, mountPath: /a, keys: [{key: k}]}}",
		"WorkloadTemplate " + system: "{environment: a, dataSources: [b, c], credentials: [d], env: [{name: A, credential: {name: e, key: k}}], mounts: [{credential: f, mountPath: /a}]}",
	} {
		t.Run(what, func(t *testing.T) {
			known := catalog.New(credential.DefaultLayout())
			known.SetNamespace(system, nil)
			a := assetOf(t, what, spec)
			var want, got []string
			for _, reference := range a.References() {
				want = append(want, fmt.Sprintf("%s: there is no %s %q for the whole of the cluster", reference.Field, reference.Kind.Word(), reference.Name))
			}
			for _, fault := range check.Asset(known, a) {
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("(-references +faults):\n%s", diff)
			}
		})
	}
}

// What a fault that does not wait follows from is told, so that it can be read again.
func TestFaultsTellWhatTheyFollowFrom(t *testing.T) {
	names := func(spec string) (names []string) {
		for _, fault := range check.Asset(cluster(), assetOf(t, "WorkloadTemplate "+system, spec)) {
			for _, entry := range fault.Of {
				names = append(names, entry.Name)
			}
		}
		return names
	}
	for spec, want := range map[string][]string{
		"{env: [{name: A, credential: {name: hub, key: x}}]}":                                     {"hub"},
		"{credentials: [mounted, mounted-too]}":                                                   {"mounted", "mounted-too"},
		"{env: [{name: AWS_ACCESS_KEY_ID, value: x}], credentials: [bucket]}":                     {"bucket"},
		"{mounts: [{credential: x, mountPath: /a}, {credential: z, mountPath: /a/b}]}":            nil,
		"{mounts: [{credential: openai, mountPath: /a}, {credential: another, mountPath: /a/b}]}": {"openai", "another"},
		"{credentials: [unheard-of]}":                                                             nil,
	} {
		if diff := cmp.Diff(want, names(spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", spec, diff)
		}
	}
}
