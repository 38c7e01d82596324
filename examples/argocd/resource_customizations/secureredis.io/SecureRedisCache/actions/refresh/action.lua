-- Any new value requests a reconcile. The resourceVersion is new at each click and requires no clock.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/refresh"] = "argocd-" .. obj.metadata.resourceVersion
return obj
