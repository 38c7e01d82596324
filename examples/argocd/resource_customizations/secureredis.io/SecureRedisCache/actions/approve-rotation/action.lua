-- States that no one outside uses another key than that of the published Key Vault version. Valid for this version only.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/approve-rotation"] = obj.status.credential.keyVaultVersion
return obj
