{{/* The name that everything of a release begins with. */}}
{{- define "keelson.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "keelson.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* The secret with the authorities. */}}
{{- define "keelson.authorities" -}}
{{ default (printf "%s-authorities" (include "keelson.name" .)) .Values.tls.existingSecret }}
{{- end -}}

{{/*
What follows is called with a list: the context, and the name of the service (`api`, `gateway` …).
*/}}
{{- define "keelson.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "keelson.labels" -}}
{{- $root := first . -}}
{{ include "keelson.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end -}}

{{- define "keelson.metadata" -}}
{{- $root := first . -}}
name: {{ include "keelson.name" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "keelson.labels" . | nindent 2 }}
{{- end -}}

{{/* A pod template's metadata. The list has besides: the admin port. */}}
{{- define "keelson.podMetadata" -}}
labels:
  {{- include "keelson.selector" . | nindent 2 }}
annotations:
  prometheus.io/scrape: "true"
  prometheus.io/port: {{ index . 2 | quote }}
{{- end -}}

{{/* The control plane's pods. */}}
{{- define "keelson.podSpec" -}}
{{- $root := first . -}}
serviceAccountName: {{ include "keelson.name" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 30
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "keelson.selector" . | nindent 14 }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "keelson.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* The addresses of api's replicas, for clients to choose from. */}}
{{- define "keelson.apis" -}}
{{- $name := include "keelson.name" . -}}
{{- $apis := list -}}
{{- range until (int .Values.api.replicas) -}}
{{- $apis = append $apis (printf "%s-api-%d.%s-api-pods.%s.svc:6450" $name . $name $.Release.Namespace) -}}
{{- end -}}
{{- join "," $apis -}}
{{- end -}}

{{/* Flags that all services have. */}}
{{- define "keelson.flags" -}}
{{- $endpoint := .Values.tracing.endpoint -}}
{{- if and (not $endpoint) .Values.tracing.sink.enabled -}}
{{- $endpoint = printf "http://%s-trace-sink.%s.svc:4317" (include "keelson.name" .) .Release.Namespace -}}
{{- end -}}
- --log={{ .Values.log }}
{{- with $endpoint }}
- --otlp-endpoint={{ . }}
{{- end }}
{{- end -}}

{{/* Probes on the admin port. */}}
{{- define "keelson.probes" -}}
startupProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  failureThreshold: 6
{{- end -}}

{{/*
Signs this pod's identity, and leaves nothing else beside it. The list has besides: the files to keep, and the flags
of `keelson pki`.
*/}}
{{- define "keelson.pki" -}}
{{- $root := first . -}}
- name: pki
  image: {{ include "keelson.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [busybox, sh, -ec]
  args:
    - |
      umask 077
      busybox mkdir -p /tmp/pki/etcd /etc/keelson/pki/etcd
      cd /authorities
      busybox cp ca.crt ca.key cluster-id /tmp/pki/
      busybox cp etcd-ca.crt /tmp/pki/etcd/ca.crt
      busybox cp etcd-ca.key /tmp/pki/etcd/ca.key
      {{- if has "sa.key" (index . 2) }}
      busybox cp sa.key /tmp/pki/
      {{- end }}
      keelson pki --pki-dir=/tmp/pki --validity={{ $root.Values.tls.validity }}{{ range index . 3 }} {{ . }}{{ end }}
      cd /tmp/pki
      for file in {{ join " " (index . 2) }}; do busybox cp "$file" "/etc/keelson/pki/$file"; done
      busybox rm -r /tmp/pki
  {{- if eq (index . 1) "kubelet" }}
  env:
    - name: NODE_NAME
      valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
  {{- end }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 128Mi }
  securityContext:
    {{- include "keelson.locked" $root | nindent 4 }}
  volumeMounts:
    - { name: authorities, mountPath: /authorities, readOnly: true }
    - { name: signing, mountPath: /tmp }
    - { name: pki, mountPath: /etc/keelson/pki }
{{- end -}}

{{- define "keelson.pkiVolumes" -}}
- name: authorities
  secret:
    secretName: {{ include "keelson.authorities" . }}
    defaultMode: 288  # 0440
    items:
      {{- range list "ca.crt" "ca.key" "etcd-ca.crt" "etcd-ca.key" "cluster-id" "sa.key" }}
      - { key: {{ . }}, path: {{ . }} }
      {{- end }}
- name: signing
  emptyDir: { medium: Memory, sizeLimit: 4Mi }
- name: pki
  emptyDir: { medium: Memory, sizeLimit: 4Mi }
{{- end -}}

{{- define "keelson.pkiMount" -}}
- { name: pki, mountPath: /etc/keelson/pki, readOnly: true }
{{- end -}}

{{/* Keeps all but one replica while nodes are drained. */}}
{{- define "keelson.disruption" -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "keelson.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "keelson.selector" . | nindent 6 }}
{{- end -}}
