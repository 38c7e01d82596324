-- Stops every write in Azure, Key Vault and Kubernetes, except the status.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/paused"] = "true"
return obj
