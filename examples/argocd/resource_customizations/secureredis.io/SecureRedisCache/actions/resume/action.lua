if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["secureredis.io/paused"] = nil
end
return obj
