-- Any new value asks for a look. The resourceVersion is new at each press and needs no clock.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/refresh"] = "argocd-" .. obj.metadata.resourceVersion
return obj
