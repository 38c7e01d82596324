{{- /*
CEL variables of the two policies on workloads. What belongs to the resource that the request acts for is read from managedFields, as the operator
itself does: the field manager is secureredis.io/<resource>. A request that claims a field in managedFields without having set it is refused, because
the lists without the resource's own entries then differ.
*/ -}}
{{- define "secure-redis.workloadVariables" -}}
- name: cron
  expression: request.kind.kind == 'CronJob'
- name: old
  expression: "variables.cron ? oldObject.spec.jobTemplate.spec.template : oldObject.spec.template"
- name: now
  expression: "variables.cron ? object.spec.jobTemplate.spec.template : object.spec.template"
- name: manager
  expression: "has(request.options) && has(request.options.fieldManager) ? string(request.options.fieldManager) : ''"
- name: resource
  expression: "variables.manager.startsWith('secureredis.io/') ? variables.manager.substring(15) : ''"
{{- range $which, $object := dict "old" "oldObject" "now" "object" }}
# The entries of resources in managedFields, and what these and the own ones have of the pod's spec. dyn: no schema describes fieldsV1.
- name: {{ $which }}Managers
  expression: >-
    (has({{ $object }}.metadata.managedFields) ? dyn({{ $object }}).metadata.managedFields : []).filter(f, f.manager.startsWith('secureredis.io/')
    && !has(f.subresource) && has(f.fieldsV1))
{{- range $name, $chosen := dict "Fields" "true" "OwnFields" "f.manager == variables.manager" }}
- name: {{ $which }}{{ $name }}
  expression: >-
    variables.{{ $which }}Managers.filter(f, {{ $chosen }}).map(f, (variables.cron ? f.fieldsV1[?'f:spec'][?'f:jobTemplate'][?'f:spec']
    : f.fieldsV1[?'f:spec'])[?'f:template'][?'f:spec'].orValue({}))
{{- end }}
- name: {{ $which }}Volumes
  expression: {{ include "secure-redis.member" (tuple (printf "variables.%s.spec" $which) "volumes" "[]") | quote }}
- name: {{ $which }}OwnVolumes
  expression: >-
    variables.{{ $which }}Volumes.filter(v, v.name.startsWith('secureredis-') && has(v.secret)
    && variables.{{ $which }}OwnFields.exists(f, ('k:{"name":"' + v.name + '"}') in f[?'f:volumes'].orValue({}))).map(v, v.name)
- name: {{ $which }}InitContainers
  expression: {{ include "secure-redis.member" (tuple (printf "variables.%s.spec" $which) "initContainers" "[]") | quote }}
{{- end }}
{{- end -}}

{{- /* CEL: the env entry e of the container c is the resource's own. A list of: "old" or "now", the container's variable, "containers" or "initContainers". */ -}}
{{- define "secure-redis.ownEnv" -}}
((has(e.valueFrom) && has(e.valueFrom.secretKeyRef)) || (e.name == 'SERVICE_BINDING_ROOT' && !has(e.valueFrom))) && (e.name == 'SERVICE_BINDING_ROOT' ? variables.{{ index . 0 }}Fields : variables.{{ index . 0 }}OwnFields).exists(f, ('k:{"name":"' + e.name + '"}') in f[?'f:{{ index . 2 }}'][?('k:{"name":"' + {{ index . 1 }}.name + '"}')][?'f:env'].orValue({}))
{{- end -}}

{{- /* CEL: for each container of the new object c and its former version o. A list of: "containers" or "initContainers", the condition on c and o. */ -}}
{{- define "secure-redis.eachContainer" -}}
{{- $path := ternary "spec.containers" "InitContainers" (eq (index . 0) "containers") -}}
{{- $dot := ternary "." "" (eq (index . 0) "containers") -}}
variables.now{{ $dot }}{{ $path }}.all(c, variables.old{{ $dot }}{{ $path }}.all(o, o.name != c.name || ({{ index . 1 }})))
{{- end -}}
