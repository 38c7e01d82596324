-- Any new value asks for one rotation, which waits for approval, overlap and pods as always: this is never an emergency.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/rotate"] = "argocd-" .. obj.metadata.resourceVersion
return obj
