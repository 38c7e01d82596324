-- States that nobody outside uses any key but that of the published Key Vault version; holds for this version only.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secureredis.io/approve-rotation"] = obj.status.credential.keyVaultVersion
return obj
