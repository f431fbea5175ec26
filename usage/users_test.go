// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// workloads, templates and automatics are users of one sort in namespace a.
func workloads(users ...User) Users {
	return Users{Workloads: users}
}

func templates(users ...User) Users {
	return Users{Templates: users}
}

func automatics(users ...User) Users {
	return Users{Automatic: users}
}

const hubSecret = "dockerregistry-hub"

// ways are the ways in which a workload may refer to hub.
var ways = map[string]*appsv1.Deployment{
	"by annotation on the workload": naming(deployment("web", corev1.PodSpec{})),
	"by annotation on the template": func() *appsv1.Deployment {
		web := deployment("web", corev1.PodSpec{})
		naming(&web.Spec.Template)
		return web
	}(),
	"by variable":         annotated(deployment("web", corev1.PodSpec{}), "env.credence.dev/TOKEN", "hub/token"),
	"by variables":        annotated(deployment("web", corev1.PodSpec{}), v1alpha1.AnnotationEnv, "_A=other/a\n\n_B=hub/b;containers=x"),
	"by mount":            annotated(deployment("web", corev1.PodSpec{}), "mount.credence.dev/x", "hub:/x;mode=0440"),
	"by malformed list":   annotated(deployment("web", corev1.PodSpec{}), v1alpha1.AnnotationCredentials, "NOT one,,hub"),
	"by malformed option": annotated(deployment("web", corev1.PodSpec{}), "mount.credence.dev/x", "hub:relative;moed=0440"),
	"beside a malformed":  annotated(deployment("web", corev1.PodSpec{}), "env.credence.dev/TOKEN", "", v1alpha1.AnnotationCredentials, "hub"),
	"by secretKeyRef":     deployment("web", corev1.PodSpec{Containers: []corev1.Container{variable("main", hubSecret)}}),
	"by init container":   deployment("web", corev1.PodSpec{InitContainers: []corev1.Container{variable("init", hubSecret)}}),
	"by envFrom":          deployment("web", reading(hubSecret)),
	"by volume":           deployment("web", mounting(hubSecret)),
	"by pull secret":      deployment("web", pulling("other", hubSecret)),
	"by several ways":     naming(deployment("web", pulling(hubSecret))),
	"by annotations on both": func() *appsv1.Deployment {
		web := annotated(deployment("web", corev1.PodSpec{}), "env.credence.dev/TOKEN", "hub/token")
		annotated(&web.Spec.Template, "env.credence.dev/TOKEN", "other/token")
		return web
	}(),
}

func TestWays(t *testing.T) {
	for name, web := range ways {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(workloads(user("Deployment", "web")), indexOf(t, web).Users(hub)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoWays(t *testing.T) {
	for name, object := range map[string]any{
		"another credential":   annotated(deployment("web", pulling("dockerregistry-hub2")), v1alpha1.AnnotationCredentials, "hub2"),
		"switched off":         annotated(deployment("web", corev1.PodSpec{}), v1alpha1.AnnotationCredentials, "hub", v1alpha1.AnnotationInject, "false"),
		"upper case":           annotated(deployment("web", corev1.PodSpec{}), "Credence.dev/credentials", "hub"),
		"unknown annotation":   annotated(deployment("web", corev1.PodSpec{}), "credence.dev/credential", "hub"),
		"the record alone":     injected(pod("web", corev1.PodSpec{})),
		"a secret by its name": deployment("hub", pulling("hub")),
		"another's annotation": annotated(deployment("web", corev1.PodSpec{}), "example.com/credentials", "hub"),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(Users{}, indexOf(t, object).Users(hub)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	spec := pulling(hubSecret)
	template := corev1.PodTemplateSpec{Spec: spec}
	for name, test := range map[string]struct {
		objects []any
		want    Users
	}{
		"pod":                    {[]any{pod("web", spec)}, workloads(user("Pod", "web"))},
		"pending pod":            {[]any{in(corev1.PodPending, pod("web", spec))}, workloads(user("Pod", "web"))},
		"pod without a phase":    {[]any{in("", pod("web", spec))}, workloads(user("Pod", "web"))},
		"pod of unknown state":   {[]any{in(corev1.PodUnknown, pod("web", spec))}, workloads(user("Pod", "web"))},
		"succeeded pod":          {[]any{in(corev1.PodSucceeded, pod("web", spec))}, Users{}},
		"failed pod":             {[]any{in(corev1.PodFailed, pod("web", spec))}, Users{}},
		"deployment":             {[]any{deployment("web", spec)}, workloads(user("Deployment", "web"))},
		"deployment of zero":     {[]any{&appsv1.Deployment{ObjectMeta: names("web"), Spec: appsv1.DeploymentSpec{Replicas: new(int32), Template: template}}}, workloads(user("Deployment", "web"))},
		"stateful set":           {[]any{&appsv1.StatefulSet{ObjectMeta: names("web"), Spec: appsv1.StatefulSetSpec{Template: template}}}, workloads(user("StatefulSet", "web"))},
		"daemon set":             {[]any{&appsv1.DaemonSet{ObjectMeta: names("web"), Spec: appsv1.DaemonSetSpec{Template: template}}}, workloads(user("DaemonSet", "web"))},
		"replica set":            {[]any{replicaSet("web", spec)}, workloads(user("ReplicaSet", "web"))},
		"replication controller": {[]any{&corev1.ReplicationController{ObjectMeta: names("web"), Spec: corev1.ReplicationControllerSpec{Template: &template}}}, workloads(user("ReplicationController", "web"))},
		"controller without":     {[]any{&corev1.ReplicationController{ObjectMeta: names("web")}}, Users{}},
		"job":                    {[]any{job("web", spec)}, workloads(user("Job", "web"))},
		"suspended job":          {[]any{job("web", spec, batchv1.JobSuspended)}, workloads(user("Job", "web"))},
		"job about to fail":      {[]any{job("web", spec, batchv1.JobFailureTarget)}, workloads(user("Job", "web"))},
		"complete job":           {[]any{job("web", spec, batchv1.JobComplete)}, Users{}},
		"failed job":             {[]any{job("web", spec, batchv1.JobFailureTarget, batchv1.JobFailed)}, Users{}},
		"job not failed": {[]any{func() *batchv1.Job {
			j := job("web", spec, batchv1.JobFailed)
			j.Status.Conditions[0].Status = corev1.ConditionFalse
			return j
		}()}, workloads(user("Job", "web"))},
		"cron job":           {[]any{cronJob("web", spec)}, workloads(user("CronJob", "web"))},
		"pod template":       {[]any{podTemplate("web", spec)}, templates(user("PodTemplate", "web"))},
		"owned pod template": {[]any{by("example.com/v1", "Request", "r", podTemplate("web", spec))}, Users{}},
		"service account":    {[]any{account("web", hubSecret)}, Users{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, indexOf(t, test.objects...).Users(hub)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwners(t *testing.T) {
	spec := reading(hubSecret)
	web, plain := deployment("web", spec), deployment("web", corev1.PodSpec{})
	for name, test := range map[string]struct {
		objects []any
		want    Users
	}{
		"pod of a replica set of a deployment": {
			[]any{plain, by("apps/v1", "Deployment", "web", replicaSet("web-1", spec)), by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", spec))},
			workloads(user("Deployment", "web")),
		},
		"named once": {
			[]any{web, by("apps/v1", "Deployment", "web", replicaSet("web-1", spec)), by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", spec)), by("apps/v1", "ReplicaSet", "web-1", pod("web-1-b", spec))},
			workloads(user("Deployment", "web")),
		},
		"old replica set":          {[]any{plain, by("apps/v1", "Deployment", "web", replicaSet("web-1", spec))}, Users{}},
		"annotated replica set":    {[]any{by("apps/v1", "Deployment", "web", naming(replicaSet("web-1", spec)))}, Users{}},
		"replica set not known":    {[]any{by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", spec))}, workloads(user("ReplicaSet", "web-1"))},
		"deployment not known":     {[]any{by("apps/v1", "Deployment", "web", replicaSet("web-1", spec)), by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", spec))}, workloads(user("Deployment", "web"))},
		"owned by a custom":        {[]any{by("example.com/v1", "App", "shop", deployment("web", spec))}, Users{}},
		"pod of a custom's":        {[]any{by("example.com/v1", "App", "shop", deployment("web", spec)), by("apps/v1", "Deployment", "web", pod("web-a", spec))}, workloads(user("App", "shop"))},
		"pod of a custom":          {[]any{by("example.com/v1", "App", "shop", pod("web-a", spec))}, workloads(user("App", "shop"))},
		"job of a cron job":        {[]any{cronJob("web", spec), by("batch/v1", "CronJob", "web", job("web-1", spec)), by("batch/v1", "Job", "web-1", pod("web-1-a", spec))}, workloads(user("CronJob", "web"))},
		"finished pod of a job":    {[]any{job("web", corev1.PodSpec{}), by("batch/v1", "Job", "web", in(corev1.PodSucceeded, pod("web-a", spec)))}, Users{}},
		"live pod of finished job": {[]any{job("web", spec, batchv1.JobFailed), by("batch/v1", "Job", "web", pod("web-a", spec))}, workloads(user("Job", "web"))},
		"pod of a pod":             {[]any{by("example.com/v1", "App", "shop", pod("driver", corev1.PodSpec{})), by("v1", "Pod", "driver", pod("executor", spec))}, workloads(user("App", "shop"))},
		"same name, another kind":  {[]any{by("example.com/v1", "App", "shop", deployment("web", spec)), by("example.com/v1", "Deployment", "web", pod("web-a", spec))}, workloads(user("Deployment", "web"))},
		"same name, another object": {
			[]any{by("example.com/v1", "App", "shop", func() *appsv1.Deployment { d := deployment("web", spec); d.UID = "new"; return d }()), by("apps/v1", "Deployment", "web", pod("web-a", spec))},
			workloads(user("Deployment", "web")),
		},
		"owned by itself": {[]any{by("apps/v1", "Deployment", "web", deployment("web", spec)), by("apps/v1", "Deployment", "web", pod("web-a", spec))}, workloads(user("Deployment", "web"))},
		"owned by what it uses": {
			[]any{by("credence.dev/v1alpha1", "Credential", "hub", naming(pod("web", spec))), by("v1", "ServiceAccount", "hub", pod("other", spec)), account("hub", hubSecret)},
			workloads(user("Credential", "hub"), user("ServiceAccount", "hub")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			inOrder(t, test.objects, func(t *testing.T, x *Index) {
				if diff := cmp.Diff(test.want, x.Users(hub)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// inOrder checks an index that has seen objects, and one that has seen them the
// other way round.
func inOrder(t *testing.T, objects []any, check func(*testing.T, *Index)) {
	t.Helper()
	backwards := slices.Clone(objects)
	slices.Reverse(backwards)
	for _, x := range []*Index{indexOf(t, objects...), indexOf(t, backwards...)} {
		check(t, x)
		checkAnswers(t, x, hub)
	}
}

func TestAccounts(t *testing.T) {
	using := func(account string) corev1.PodSpec { return corev1.PodSpec{ServiceAccountName: account} }
	own := pulling("other")
	for name, test := range map[string]struct {
		objects []any
		want    Users
	}{
		"default":              {[]any{account("default", hubSecret), deployment("web", using(""))}, workloads(user("Deployment", "web"))},
		"named":                {[]any{account("builder", hubSecret), deployment("web", using("builder")), cronJob("night", using("builder")), deployment("other", using(""))}, workloads(user("CronJob", "night"), user("Deployment", "web"))},
		"template":             {[]any{account("default", hubSecret), podTemplate("web", using(""))}, templates(user("PodTemplate", "web"))},
		"without pull secrets": {[]any{account("default"), deployment("web", using(""))}, Users{}},
		"finished job":         {[]any{account("default", hubSecret), job("web", using(""), batchv1.JobComplete)}, Users{}},
		"own pull secrets":     {[]any{account("default", hubSecret), deployment("web", own)}, Users{}},
		"pod without them":     {[]any{account("default", hubSecret), pod("web", using(""))}, Users{}},
		"pod that got them":    {[]any{account("default", hubSecret), pod("web", pulling(hubSecret))}, workloads(user("Pod", "web"))},
	} {
		t.Run(name, func(t *testing.T) {
			inOrder(t, test.objects, func(t *testing.T, x *Index) {
				if diff := cmp.Diff(test.want, x.Users(hub)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAutomatic(t *testing.T) {
	plain, pulled := deployment("web", corev1.PodSpec{}), pulling(hubSecret)
	ofWeb := func(pod *corev1.Pod) *corev1.Pod { return by("apps/v1", "Deployment", "web", pod) }
	for name, test := range map[string]struct {
		objects []any
		want    Users
	}{
		"nobody named it":         {[]any{plain, ofWeb(pod("web-a", pulled))}, automatics(user("Deployment", "web"))},
		"recorded as named":       {[]any{plain, ofWeb(annotated(pod("web-a", pulled), v1alpha1.AnnotationInjected, `{"hub":["imagePullSecrets"]}`))}, automatics(user("Deployment", "web"))},
		"the template names it":   {[]any{deployment("web", pulled), ofWeb(injected(pod("web-a", pulled)))}, workloads(user("Deployment", "web"))},
		"its annotation names it": {[]any{naming(deployment("web", corev1.PodSpec{})), ofWeb(injected(pod("web-a", pulled)))}, workloads(user("Deployment", "web"))},
		"its account names it":    {[]any{plain, account("default", hubSecret), ofWeb(injected(pod("web-a", pulled)))}, workloads(user("Deployment", "web"))},
		"the pod's annotation":    {[]any{plain, ofWeb(naming(pod("web-a", pulled)))}, workloads(user("Deployment", "web"))},
		"also mounted": {[]any{plain, ofWeb(pod("web-a", func() corev1.PodSpec {
			s := mounting(hubSecret)
			s.ImagePullSecrets = pulled.ImagePullSecrets
			return s
		}()))}, workloads(user("Deployment", "web"))},
		"a finished job names it": {[]any{job("web", pulled, batchv1.JobFailed), by("batch/v1", "Job", "web", pod("web-a", pulled))}, workloads(user("Job", "web"))},
		"owner not followed":      {[]any{by("example.com/v1", "App", "shop", pod("web-a", pulled))}, workloads(user("App", "shop"))},
		"and recorded":            {[]any{by("example.com/v1", "App", "shop", injected(pod("web-a", pulled)))}, automatics(user("App", "shop"))},
		"owner gone":              {[]any{ofWeb(injected(pod("web-a", pulled)))}, automatics(user("Deployment", "web"))},
		"bare":                    {[]any{injected(pod("web", pulled))}, automatics(user("Pod", "web"))},
		"bare and named": {
			[]any{annotated(pod("web", pulled), v1alpha1.AnnotationInjected, `{"hub":["imagePullSecrets (automatic)"]}`, v1alpha1.AnnotationCredentials, "hub")},
			workloads(user("Pod", "web")),
		},
		"bare, record not ours": {[]any{annotated(pod("web", pulled), v1alpha1.AnnotationInjected, `["hub"]`)}, workloads(user("Pod", "web"))},
		"of a pod":              {[]any{pod("driver", mounting("x")), by("v1", "Pod", "driver", injected(pod("executor", pulled)))}, automatics(user("Pod", "driver"))},
		"automatic, and the owner of a user": {
			[]any{injected(pod("driver", pulled)), by("v1", "Pod", "driver", pod("executor", mounting(hubSecret)))},
			workloads(user("Pod", "driver")),
		},
		"a user, and the owner of an automatic one": {
			[]any{pod("driver", mounting(hubSecret)), by("v1", "Pod", "driver", injected(pod("executor", pulled)))},
			workloads(user("Pod", "driver")),
		},
		"one automatic, one not": {[]any{plain, ofWeb(pod("web-a", pulled)), ofWeb(naming(pod("web-b", pulled)))}, workloads(user("Deployment", "web"))},
	} {
		t.Run(name, func(t *testing.T) {
			inOrder(t, test.objects, func(t *testing.T, x *Index) {
				if diff := cmp.Diff(test.want, x.Users(hub)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestNamespaces: a name counts only where it means the credential, and lists are
// sorted over all of them.
func TestNamespaces(t *testing.T) {
	elsewhere := func(namespace string, web *appsv1.Deployment) *appsv1.Deployment {
		web.Namespace = namespace
		return web
	}
	x := indexOf(t, naming(deployment("b", corev1.PodSpec{})), naming(deployment("a", corev1.PodSpec{})), cronJob("z", pulling(hubSecret)),
		elsewhere("c", naming(deployment("web", corev1.PodSpec{}))), elsewhere("b", naming(deployment("web", corev1.PodSpec{}))))
	asked := Query{Name: "hub", Secret: hubSecret, Namespaces: []string{"c", "a", "empty", "a"}}
	got := x.Users(asked)
	inC := user("Deployment", "web")
	inC.Namespace = "c"
	want := Users{Workloads: []User{user("CronJob", "z"), user("Deployment", "a"), user("Deployment", "b"), inC}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "c"}, x.UsedIn(asked)); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Users{}, x.Users(Query{Name: "hub", Secret: hubSecret})); diff != "" {
		t.Errorf("in no namespace (-want +got):\n%s", diff)
	}
}
