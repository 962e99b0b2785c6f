{{/* Settings as variables. Whole numbers come as floats, so they are printed without an exponent. */}}
{{- define "sterna.environment" -}}
- {name: STERNA_SHUTDOWN_SECONDS, value: {{ .Values.termination.drainSeconds | quote }}}
{{- with .Values.model }}
- {name: STERNA_MODEL, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: STERNA_{{ upper $name }}
  value: {{ if kindIs "float64" $value }}{{ if eq (floor $value) $value }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- with .Values.apiKey.existingSecret }}
- {name: STERNA_METRICS_PUBLIC, value: "true"}
- name: STERNA_API_KEY
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $.Values.apiKey.key }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
