"""JSON Schemas of our own for the answers, after the public API descriptions (azure-rest-api-specs).

`Microsoft.Cache/Redis/stable/2024-11-01/redis.json` and `keyvault/data-plane/Secrets/stable/7.6/secrets.json`: names,
types and enums; what recorded traffic always has is required here too. Unknown fields are a failure: a misspelt one
would otherwise pass as an optional one left out.
"""

from typing import Any

Schema = dict[str, Any]
_STRING: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_INTEGER: Schema = {"type": "integer"}
_STRINGS: Schema = {"type": "object", "additionalProperties": _STRING}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


_STATES = [
    "Creating", "Deleting", "Disabled", "Failed", "Linking", "Provisioning", "RecoveringScaleFailure", "Scaling",
    "Succeeded", "Unlinking", "Unprovisioning", "Updating", "ConfiguringAAD",
    "UpdatingManagedIdentity",  # recorded, and in no description
]  # fmt: skip
KEYS = _object({"primaryKey": _STRING, "secondaryKey": _STRING})
_INSTANCE = _object(
    {"sslPort": _INTEGER, "isMaster": _BOOLEAN, "isPrimary": _BOOLEAN},
    {"nonSslPort": _INTEGER, "zone": _STRING, "shardId": _INTEGER},
)
ENDPOINT = _object(
    {
        "id": _STRING,
        "properties": _object(
            {
                "privateEndpoint": _object({"id": _STRING}),
                "privateLinkServiceConnectionState": _object(
                    {"status": {"enum": ["Pending", "Approved", "Rejected", "Disconnected"]}},
                    {"description": _STRING, "actionsRequired": _STRING},
                ),
                "provisioningState": {"enum": ["Succeeded", "Creating", "Deleting", "Failed"]},
            }
        ),
    },
    {"name": _STRING, "type": _STRING},
)
_CONFIGURATION = {
    "type": "object",
    "additionalProperties": _STRING,
    "properties": {"maxclients": {"type": "string", "pattern": "^[0-9]+$"}},
}
_PROPERTIES = _object(
    {
        "provisioningState": {"enum": _STATES},
        "redisVersion": _STRING,
        "sku": _object(
            {
                "name": {"enum": ["Basic", "Standard", "Premium"]},
                "family": {"enum": ["C", "P"]},
                "capacity": {"type": "integer", "minimum": 0, "maximum": 6},
            }
        ),
        "enableNonSslPort": _BOOLEAN,
        "redisConfiguration": _CONFIGURATION,
        "accessKeys": {"anyOf": [{"type": "null"}, KEYS]},
        "hostName": _STRING,
        "port": {"const": 6379},
        "sslPort": {"const": 6380},
        "linkedServers": {"type": "array", "items": _object({"id": _STRING})},
    },
    {
        "instances": {"type": "array", "items": _INSTANCE},
        "publicNetworkAccess": {"enum": ["Enabled", "Disabled"]},
        "minimumTlsVersion": {"enum": ["1.0", "1.1", "1.2"]},
        "disableAccessKeyAuthentication": _BOOLEAN,
        "updateChannel": {"enum": ["Stable", "Preview"]},
        "zonalAllocationPolicy": {"enum": ["Automatic", "UserDefined", "NoZones"]},
        "privateEndpointConnections": {"type": "array", "items": ENDPOINT},
        "replicasPerMaster": _INTEGER,
        "replicasPerPrimary": _INTEGER,
        "shardCount": _INTEGER,
        "subnetId": _STRING,
        "staticIP": _STRING,
        "tenantSettings": _STRINGS,
    },
)
_IDENTITY = _object(
    {"type": {"enum": ["None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"]}},
    {"principalId": _STRING, "tenantId": _STRING, "userAssignedIdentities": {"type": "object"}},
)
CACHE = _object(
    {"id": _STRING, "name": _STRING, "type": {"const": "Microsoft.Cache/Redis"}, "location": _STRING}
    | {"properties": _PROPERTIES},
    {"tags": _STRINGS, "zones": {"type": "array", "items": _STRING}, "identity": _IDENTITY},
)
CACHES = _object({"value": {"type": "array", "items": CACHE}}, {"nextLink": {"type": ["string", "null"]}})
RULE = _object(
    {
        "id": _STRING,
        "name": _STRING,
        # Lists spell it with a capital, the answer to a PUT does not (recorded).
        "type": {"enum": ["Microsoft.Cache/Redis/firewallRules", "Microsoft.Cache/redis/firewallRules"]},
        "properties": _object({"startIP": _STRING, "endIP": _STRING}),
    }
)
OPERATION = _object(
    {"id": _STRING, "name": _STRING, "status": {"enum": ["InProgress", "Succeeded", "Failed"]}},
    {"startTime": {}, "endTime": {}, "percentComplete": {}, "properties": {}, "error": {}},
)
ERROR = _object(
    {
        "error": {
            "type": "object",
            "properties": {"code": _STRING, "message": _STRING, "target": {"type": ["string", "null"]}},
            "required": ["code", "message"],
        }
    }
)
_ATTRIBUTES = _object(
    {"enabled": _BOOLEAN, "created": _INTEGER, "updated": _INTEGER, "recoveryLevel": _STRING},
    {"nbf": _INTEGER, "exp": _INTEGER, "recoverableDays": _INTEGER},
)
_ITEM: tuple[Schema, Schema] = (
    {"id": _STRING, "attributes": _ATTRIBUTES},
    {"contentType": _STRING, "tags": _STRINGS, "managed": _BOOLEAN},
)
SECRET = _object({**_ITEM[0], "value": _STRING}, {**_ITEM[1], "kid": _STRING})
VERSIONS = _object(
    {"value": {"type": "array", "items": _object(*_ITEM), "maxItems": 25}, "nextLink": {"type": ["string", "null"]}}
)
