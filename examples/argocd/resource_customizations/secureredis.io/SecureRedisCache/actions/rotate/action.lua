-- Any new value requests one rotation. It waits for approval, overlap and pods, and is never an emergency.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/rotate"] = "argocd-" .. obj.metadata.resourceVersion
return obj
