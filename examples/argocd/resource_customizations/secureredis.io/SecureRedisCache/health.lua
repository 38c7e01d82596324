-- Health of a SecureRedisCache. It follows kstatus: only Stalled is Degraded, because a person must act.
-- The message reports findings, drift and unsafe persistence, and the resource stays Healthy. With the next line set to true
-- (argocd-cm-strict.yaml), the resource is Degraded.
local concernsDegrade = false
local hs = { status = "Progressing", message = "Waiting for secure-redis-operator" }

local annotations = obj.metadata.annotations
if annotations ~= nil and annotations["secureredis.io/paused"] == "true" then
  hs.status = "Suspended"
  hs.message = "Paused by the annotation secureredis.io/paused: nothing is written until it is removed"
  return hs
end

if obj.status == nil or obj.status.conditions == nil then
  return hs
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local function shown(condition)
  if condition.message ~= nil and condition.message ~= "" then
    return condition.reason .. ": " .. condition.message
  end
  return condition.reason
end

local function is(kind, status)
  return conditions[kind] ~= nil and conditions[kind].status == status
end

-- A status of an older generation does not describe the current spec.
if obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

if is("Stalled", "True") then
  hs.status = "Degraded"
  hs.message = shown(conditions["Stalled"])
  return hs
end

if is("Reconciling", "True") then
  hs.message = shown(conditions["Reconciling"])
  return hs
end

if not is("Ready", "True") then
  if conditions["Ready"] ~= nil then
    hs.message = shown(conditions["Ready"])
  end
  return hs
end

hs.status = "Healthy"
local concerns = {}
for _, kind in ipairs({ "TransportSecured", "PersistenceEncrypted", "Compliant" }) do
  if conditions[kind] ~= nil and conditions[kind].status ~= "True" then
    table.insert(concerns, kind .. "=" .. conditions[kind].status .. ": " .. shown(conditions[kind]))
  end
end
if is("DriftDetected", "True") then
  table.insert(concerns, "DriftDetected: " .. shown(conditions["DriftDetected"]))
end
if is("WorkloadsCurrent", "False") then
  table.insert(concerns, "WorkloadsCurrent=False: " .. shown(conditions["WorkloadsCurrent"]))
end
hs.message = shown(conditions["Ready"])
if #concerns > 0 then
  hs.message = hs.message .. "; " .. table.concat(concerns, "; ")
  if concernsDegrade then
    hs.status = "Degraded"
  end
end
return hs
