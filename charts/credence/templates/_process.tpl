{{/*
The Deployment of one process and its PodDisruptionBudget. Give a dict:
root, component (also the sub-command), values (replicas, resources); args and ports (name: number) of its own, if any.
*/}}
{{- define "credence.process" -}}
{{- $values := .root.Values -}}
{{- $name := printf "credence-%s" .component -}}
{{- $ports := merge (dict "metrics" 8080 "health" 8081) (get . "ports" | default dict) -}}
{{- $args := concat (list
      .component
      (printf "--install-namespace=%s" .root.Release.Namespace)
      (printf "--system-namespace=%s" (include "credence.systemNamespace" .root))
      (printf "--project-label=%s" $values.labels.project)
      (printf "--department-label=%s" $values.labels.department)
      (printf "--cluster-name=%s" $values.clusterName)
      (printf "--log-level=%s" $values.logLevel)
      (printf "--metrics-bind-address=:%v" $ports.metrics)
      (printf "--health-bind-address=:%v" $ports.health)
    ) (get . "args" | default list) -}}
{{- $certificate := include "credence.certificateSecret" .root -}}
{{- if $certificate -}}
{{- $args = append $args "--cert-dir=/etc/credence/certificate" -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "credence.labels" . | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  selector:
    matchLabels:
      {{- include "credence.selector" .component | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  template:
    metadata:
      labels:
        {{- merge (include "credence.labels" . | fromYaml) $values.podLabels | toYaml | nindent 8 }}
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      # 15 s of draining, then the requests that are still under way.
      terminationGracePeriodSeconds: 30
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {{ .component }}
          image: {{ include "credence.image" .root | quote }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          args:
            {{- toYaml $args | nindent 12 }}
          env:
            # Go collects its garbage harder as it nears this, rather than be killed.
            - name: GOMEMLIMIT
              valueFrom:
                resourceFieldRef:
                  resource: limits.memory
          ports:
            {{- range $port, $number := $ports }}
            - name: {{ $port }}
              containerPort: {{ $number }}
              protocol: TCP
            {{- end }}
          livenessProbe:
            httpGet:
              path: /healthz
              port: health
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet:
              path: /readyz
              port: health
            periodSeconds: 5
            timeoutSeconds: 2
            failureThreshold: 2
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          {{- if $certificate }}
          volumeMounts:
            - name: certificate
              mountPath: /etc/credence/certificate
              readOnly: true
          {{- end }}
      {{- if $certificate }}
      # Not optional: without it a process cannot serve, and the events of the pod say what is missing.
      volumes:
        - name: certificate
          secret:
            secretName: {{ $certificate }}
            items:
              {{- range include "credence.certificateKeys" .root | fromYamlArray }}
              - {key: {{ . }}, path: {{ . }}}
              {{- end }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "credence.selector" $.component | nindent 14 }}
          # A rolling update counts the new pods only.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "credence.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready protects nobody, and must not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "credence.selector" .component | nindent 6 }}
{{- end -}}
