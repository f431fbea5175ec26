// SPDX-License-Identifier: Apache-2.0

package annotation_test

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/annotation"
)

func mode(m int32) *int32 { return &m }

func TestParse(t *testing.T) {
	containers := func(key string, names ...string) *annotation.Containers {
		return &annotation.Containers{Annotation: key, Names: names}
	}
	for name, test := range map[string]struct {
		annotations map[string]string
		want        annotation.Wanted
	}{
		"nothing":                    {},
		"nothing of ours":            {annotations: map[string]string{"example.com/a": "b"}},
		"only what Credence writes":  {annotations: map[string]string{"credence.dev/injected": "x", "credence.dev/carried": "y", "credence.dev/restarted-for": "z"}},
		"off":                        {annotations: map[string]string{"credence.dev/inject": "false"}, want: annotation.Wanted{Off: true}},
		"off, and nothing else read": {annotations: map[string]string{"credence.dev/inject": "false", "credence.dev/nonsense": ",", "Credence.dev/x": ""}, want: annotation.Wanted{Off: true}},
		"not off":                    {annotations: map[string]string{"credence.dev/inject": "true"}},
		"credentials": {
			annotations: map[string]string{"credence.dev/credentials": " b ,a,\n0-1\t"},
			want: annotation.Wanted{Named: []annotation.Named{
				{Annotation: "credence.dev/credentials", Credential: "b"}, {Annotation: "credence.dev/credentials", Credential: "a"},
				{Annotation: "credence.dev/credentials", Credential: "0-1"},
			}},
		},
		"in the order of the keys": {
			annotations: map[string]string{"env.credence.dev/B": "b/k", "env.credence.dev/A": "a/k", "credence.dev/env": "Z=z/k"},
			want: annotation.Wanted{Env: []annotation.Env{
				{Annotation: "credence.dev/env", Variable: "Z", Line: 1, Credential: "z", Key: "k"},
				{Annotation: "env.credence.dev/A", Variable: "A", Credential: "a", Key: "k"},
				{Annotation: "env.credence.dev/B", Variable: "B", Credential: "b", Key: "k"},
			}},
		},
		"variable": {
			annotations: map[string]string{"env.credence.dev/a.b-C_1": " a/.k-_ ; containers = x , y "},
			want: annotation.Wanted{Env: []annotation.Env{{
				Annotation: "env.credence.dev/a.b-C_1", Variable: "a.b-C_1", Credential: "a", Key: ".k-_",
				Containers: containers("env.credence.dev/a.b-C_1", "x", "y"),
			}}},
		},
		"lines": {
			annotations: map[string]string{"credence.dev/env": "\n\t_A = a/k\r\n\n A B=a/k;containers=x\n@/!=a/k"},
			want: annotation.Wanted{Env: []annotation.Env{
				{Annotation: "credence.dev/env", Variable: "_A", Line: 2, Credential: "a", Key: "k"},
				{Annotation: "credence.dev/env", Variable: "A B", Line: 4, Credential: "a", Key: "k", Containers: containers("credence.dev/env", "x")},
				{Annotation: "credence.dev/env", Variable: "@/!", Line: 5, Credential: "a", Key: "k"},
			}},
		},
		"mount": {
			annotations: map[string]string{"mount.credence.dev/x": "a : //b/./c/ "},
			want:        annotation.Wanted{Mounts: []annotation.Mount{{Annotation: "mount.credence.dev/x", Credential: "a", Path: "/b/c"}}},
		},
		"mount with all options": {
			annotations: map[string]string{"mount.credence.dev/x": "a:/b; keys = k , l = m/./n:o ;containers=x;mode=0"},
			want: annotation.Wanted{Mounts: []annotation.Mount{{
				Annotation: "mount.credence.dev/x", Credential: "a", Path: "/b", Mode: mode(0),
				Items:      []annotation.Item{{Key: "k", File: "k"}, {Key: "l", File: "m/n:o"}},
				Containers: containers("mount.credence.dev/x", "x"),
			}}},
		},
		"assets": {
			annotations: map[string]string{
				"credence.dev/environment": " python\n", "credence.dev/template": "base", "credence.dev/data-sources": " code ,images,code",
			},
			want: annotation.Wanted{Environment: "python", Template: "base", DataSources: []string{"code", "images", "code"}},
		},
		"largest mode": {
			annotations: map[string]string{"mount.credence.dev/x": "a:/b;mode=00777"},
			want:        annotation.Wanted{Mounts: []annotation.Mount{{Annotation: "mount.credence.dev/x", Credential: "a", Path: "/b", Mode: mode(0o777)}}},
		},
		"files side by side": {
			annotations: map[string]string{"mount.credence.dev/x": "a:/b;keys=k=d/a,l=d/b,m=da"},
			want: annotation.Wanted{Mounts: []annotation.Mount{{
				Annotation: "mount.credence.dev/x", Credential: "a", Path: "/b",
				Items: []annotation.Item{{Key: "k", File: "d/a"}, {Key: "l", File: "d/b"}, {Key: "m", File: "da"}},
			}}},
		},
		"containers": {
			annotations: map[string]string{"credence.dev/containers": "x, y"},
			want:        annotation.Wanted{Containers: containers("credence.dev/containers", "x", "y")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := annotation.Parse(test.annotations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseRefuses has what the golden cases (bad-…) do not show.
func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct{ key, value, want string }{
		"inject in capitals":       {"credence.dev/inject", "False", `the value must be "false" or "true", not "False"`},
		"inject with a blank":      {"credence.dev/inject", "false ", `the value must be "false" or "true", not "false "`},
		"only a comma":             {"credence.dev/credentials", ",", "item 1 of the list is empty"},
		"blank between commas":     {"credence.dev/credentials", "a, ,b", "item 2 of the list is empty"},
		"names by blanks":          {"credence.dev/credentials", "a b", `"a b" cannot be the name of a credential, which is made of lower case letters, digits and '-'`},
		"name too long":            {"credence.dev/credentials", strings.Repeat("a", 64), `"` + strings.Repeat("a", 64) + `" cannot be the name of a credential, which is made of lower case letters, digits and '-'`},
		"no credential":            {"env.credence.dev/A", "/k", `the value must be <credential>/<key or role>, not "/k"`},
		"two slashes":              {"env.credence.dev/A", "a/b/c", `"b/c" cannot be a key of a Secret, which is made of letters, digits, '-', '_' and '.'`},
		"key is two dots":          {"env.credence.dev/A", "a/..", `".." cannot be a key of a Secret, which is made of letters, digits, '-', '_' and '.'`},
		"name with a sign":         {"env.credence.dev/A=B", "a/k", `"A=B" cannot be the name of an environment variable: a valid environment variable name must consist only of printable ASCII characters other than '='`},
		"only an option":           {"env.credence.dev/A", ";containers=a", `the value must be <credential>/<key or role>, not ""`},
		"line without a reference": {"credence.dev/env", "A=", `line 1: the value must be <credential>/<key or role>, not ""`},
		"blank lines only":         {"credence.dev/env", "\n \n", "the value is empty; it must have at least one line <VAR>=<credential>/<key or role>"},
		"mount without credential": {"mount.credence.dev/x", ":/a", `the value must be <credential>:<absolute path>, not ":/a"`},
		"mount by a slash":         {"mount.credence.dev/x", "a/b", `the value must be <credential>:<absolute path>, not "a/b"`},
		"mount without a value":    {"mount.credence.dev/x", "", `the value must be <credential>:<absolute path>, not ""`},
		"dots at the end":          {"mount.credence.dev/x", "a:/b/..", `mount path "/b/.." must not contain '..'`},
		"parent of the parent":     {"mount.credence.dev/x", "a:/var/", `mount path "/var/" is reserved: it would hide /var/run/secrets/kubernetes.io`},
		"just the tokens":          {"mount.credence.dev/x", "a:/var/run/secrets/kubernetes.io", `mount path "/var/run/secrets/kubernetes.io" is reserved: the container needs /var/run/secrets/kubernetes.io`},
		"parent in most images":    {"mount.credence.dev/x", "a:/run/secrets", `mount path "/run/secrets" is reserved: it would hide /run/secrets/kubernetes.io`},
		"tokens in most images":    {"mount.credence.dev/x", "a:/run/secrets/kubernetes.io/", `mount path "/run/secrets/kubernetes.io/" is reserved: the container needs /run/secrets/kubernetes.io`},
		"too many lines":           {"credence.dev/env", strings.Repeat("A=a/k\n", 10_001), "line 10001: the annotations ask for more than 10000 things, which is the most that is supported"},
		"negative mode":            {"mount.credence.dev/x", "a:/b;mode=-1", `mode "-1" must be an octal number such as 0440`},
		"mode just out of range":   {"mount.credence.dev/x", "a:/b;mode=01000", `mode "01000" is out of range: it must be between 0000 and 0777`},
		"no mode":                  {"mount.credence.dev/x", "a:/b;mode=", `option "mode" has no value`},
		"no keys":                  {"mount.credence.dev/x", "a:/b;keys= ", `option "keys" has no value`},
		"file without a key":       {"mount.credence.dev/x", "a:/b;keys==f", `"" cannot be a key of a Secret, which is made of letters, digits, '-', '_' and '.'`},
		"file with a control":      {"mount.credence.dev/x", "a:/b;keys=k=f\x00", `file "f\x00" must not contain control characters`},
		"folder of another file":   {"mount.credence.dev/x", "a:/b;keys=k=d/f,l=d", `files "d/f" and "d" lie in one another`},
		"option in capitals":       {"mount.credence.dev/x", "a:/b;Mode=0400", `option "Mode" is unknown (options: mode, keys, containers); did you mean "mode"?`},
		"domain alone":             {"credence.dev/", "x", "there is no such annotation"},
		"own name of another kind": {"env.credence.dev.credence.dev/x", "x", "there is no such annotation (there are env.credence.dev/<variable> and mount.credence.dev/<any name>)"},
		"mount misspelt":           {"mnt.credence.dev/x", "x", `there is no such annotation; did you mean "mount.credence.dev/x"?`},
		"capitals and misspelt":    {"CREDENCE.dev/credential", "x", "the domain must be in lower case: credence.dev/credential"},
		"own name in capitals":     {"Credence.dev/injected", "x", "the domain must be in lower case: credence.dev/injected"},
		"value without end":        {"env.credence.dev/A", strings.Repeat("a", 1000), `the value must be <credential>/<key or role>, not "` + strings.Repeat("a", 80) + `…"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := annotation.Parse(map[string]string{test.key: test.value})
			if err == nil {
				t.Fatalf("takes it: %+v", got)
			}
			if diff := cmp.Diff((&annotation.Error{Annotation: test.key, Problem: test.want}).Error(), err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(annotation.Wanted{}, got); diff != "" {
				t.Errorf("refused, and:\n%s", diff)
			}
		})
	}
}

// TestTooMuch holds that what many annotations ask for is counted together, keys of
// mounts included, and that just as much as is supported is taken.
func TestTooMuch(t *testing.T) {
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf("k=%d", i))
	}
	annotations := map[string]string{"credence.dev/env": strings.Repeat("A=a/k\n", 998), "env.credence.dev/A": "a/k", "mount.credence.dev/z": "a:/b"}
	for i := range 9 {
		annotations[fmt.Sprint("mount.credence.dev/", i)] = "a:/b;keys=" + strings.Join(items, ",")
	}
	if _, err := annotation.Parse(annotations); err != nil {
		t.Error(err)
	}
	annotations["credence.dev/env"] += "A=a/k\n"
	_, err := annotation.Parse(annotations)
	const want = "annotation mount.credence.dev/z: the annotations ask for more than 10000 things, which is the most that is supported"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
}

// FuzzParse holds that whatever is read keeps to the rules of the API server, and
// that what is refused is refused in one bounded line that names the annotation.
func FuzzParse(f *testing.F) {
	for key := range keys {
		f.Add(key, "a, b")
	}
	for _, value := range []string{
		"", "a", "a,b", "a,,b", "false", "true", "a/b", "a/b;containers=c,d", "a:/b", "a:/b;mode=0440;keys=k=f,l;containers=c",
		"A=a/b\n\n_B=c/d", "a:/../b", "a:/proc", ";;=", "a:/b;keys=k=../f", "a:b:c", "\x00", "a/\xff", "a:/b;mode=99999999999999999999",
	} {
		for _, key := range []string{"credence.dev/credentials", "credence.dev/env", "credence.dev/containers", "credence.dev/inject", "env.credence.dev/A", "mount.credence.dev/a"} {
			f.Add(key, value)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		wanted, err := annotation.Parse(map[string]string{key: value})
		if err != nil {
			if err.Annotation != key || !annotation.Asks(key) {
				t.Errorf("names annotation %q", err.Annotation)
			}
			if utf8.ValidString(key) && utf8.ValidString(value) {
				checkSentence(t, err.Error())
			}
			return
		}
		for _, env := range wanted.Env {
			if env.Variable == "" || strings.ContainsFunc(env.Variable, func(r rune) bool { return r < ' ' || r > '~' || r == '=' }) {
				t.Errorf("variable %q", env.Variable)
			}
		}
		for _, mount := range wanted.Mounts {
			if path.Clean(mount.Path) != mount.Path || !path.IsAbs(mount.Path) || mount.Path == "/" || strings.Contains(mount.Path, "/proc/") && strings.HasPrefix(mount.Path, "/proc/") {
				t.Errorf("mount path %q", mount.Path)
			}
			if mount.Mode != nil && (*mount.Mode < 0 || *mount.Mode > 0o777) {
				t.Errorf("mode %o", *mount.Mode)
			}
			for _, item := range mount.Items {
				if path.IsAbs(item.File) || strings.HasPrefix(path.Clean(item.File), "..") || item.File == "." || item.File == "" {
					t.Errorf("file %q", item.File)
				}
			}
		}
		if !annotation.Asks(key) && fmt.Sprintf("%+v", wanted) != fmt.Sprintf("%+v", annotation.Wanted{}) {
			t.Errorf("does not ask, and gets %+v", wanted)
		}
	})
}

func checkSentence(t *testing.T, text string) {
	t.Helper()
	if len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) || strings.HasSuffix(text, ".") {
		t.Errorf("no bounded sentence: %q", text)
	}
}
