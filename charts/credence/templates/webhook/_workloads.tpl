{{/*
The kinds of workload that are known without a WorkloadKind, besides Kubernetes' own, as in injector/workload: a YAML
list of groups with their resources. A rule for a resource that is not there does no harm.
*/}}
{{- define "credence.thirdParty" -}}
- {group: argoproj.io, versions: [v1alpha1], resources: [rollouts]}
- {group: jobset.x-k8s.io, versions: [v1alpha2], resources: [jobsets]}
- {group: kubeflow.org, versions: [v1], resources: [jaxjobs, paddlejobs, pytorchjobs, tfjobs, xgboostjobs]}
- {group: kubeflow.org, versions: [v1, v2beta1], resources: [mpijobs]}
- {group: leaderworkerset.x-k8s.io, versions: [v1], resources: [leaderworkersets]}
- {group: ray.io, versions: [v1], resources: [rayclusters, rayjobs, rayservices]}
- {group: serving.knative.dev, versions: [v1], resources: [services]}
{{- end -}}

{{/*
What the entries for workloads have in common. They fail open: a workload never waits for us, and the controller finds
what was not carried.
*/}}
{{- define "credence.workloadWrites" -}}
failurePolicy: Ignore
# Called again if a webhook after it changes the workload: that may have annotated it.
reinvocationPolicy: IfNeeded
matchPolicy: Equivalent
sideEffects: None
admissionReviewVersions: [v1]
timeoutSeconds: 5
{{- end -}}

{{- define "credence.workloadRules" -}}
- apiGroups: [""]
  apiVersions: [v1]
  resources: [replicationcontrollers]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [apps]
  apiVersions: [v1]
  resources: [daemonsets, deployments, replicasets, statefulsets]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: [v1]
  resources: [cronjobs, jobs]
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- range include "credence.thirdParty" . | fromYamlArray }}
- apiGroups: [{{ .group }}]
  apiVersions: {{ toJson .versions }}
  resources: {{ toJson .resources }}
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- end }}
{{- end -}}

{{/*
CEL: whether an object has a controller, as the ReplicaSets of a Deployment have. Those have its annotations, and must
stay as they are: the Deployment would replace a ReplicaSet whose template changes, without end.
*/}}
{{- define "credence.hasController" -}}
object.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))
{{- end -}}

{{/*
CEL: whether a workload asks for something, on itself or in its pod template, or once did: what was carried is to leave
the template with the annotation that it came from. What Credence itself writes does not count otherwise. As for pods,
one with very many annotations counts as one that asks; there are up to three places to look at here. Templates of other
kinds elsewhere are not looked at.
*/}}
{{- define "credence.isAnnotatedWorkload" -}}
[object.metadata.?annotations,
object.?spec.?template.?metadata.?annotations,
object.?spec.?jobTemplate.?spec.?template.?metadata.?annotations].exists(place,
place.hasValue() && place.value() != null &&
(place.value().size() > 300 ||
place.value().exists(name, name.matches('{{ include "credence.annotationPattern" . }}') &&
!(name in ['credence.dev/injected', 'credence.dev/restarted-for', 'credence.dev/restarts', 'credence.dev/warnings']))))
{{- end -}}
