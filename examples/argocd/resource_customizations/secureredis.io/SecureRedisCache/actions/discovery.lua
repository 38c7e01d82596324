local actions = {}
local annotations = obj.metadata.annotations or {}
local paused = annotations["secureredis.io/paused"] == "true"
local authentication = obj.spec.authentication
local keyVault = authentication ~= nil and authentication.keyVault or nil
local leads = keyVault ~= nil and keyVault.access == "ReadWrite"
local waits = obj.status ~= nil and obj.status.rotation ~= nil and obj.status.rotation.reason == "ApprovalRequired"

actions["refresh"] = { ["disabled"] = paused }
actions["rotate"] = { ["disabled"] = paused or not leads }
actions["approve-rotation"] = { ["disabled"] = paused or not waits }
actions["pause"] = { ["disabled"] = paused }
actions["resume"] = { ["disabled"] = not paused }
return actions
