"""JSON Schemas of our own for answers of Microsoft.Cache/redisEnterprise.

After the public API descriptions (`redisenterprise/…/2025-07-01` and `2026-09-01`) and recorded traffic. Unknown fields
are a failure: a misspelt one would otherwise pass as an optional one left out.
"""

from tests.contract.shapes import ENDPOINT, Schema

_STRING: Schema = {"type": "string"}
_STATES = ["Succeeded", "Failed", "Canceled", "Creating", "Updating", "Deleting"]
_RESOURCE_STATES = [
    "Running", "Creating", "CreateFailed", "Updating", "UpdateFailed", "Deleting", "DeleteFailed", "Enabling",
    "EnableFailed", "Disabling", "DisableFailed", "Disabled", "Scaling", "ScalingFailed", "Moving",
]  # fmt: skip
_SWITCH: Schema = {"enum": ["Enabled", "Disabled"]}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


CLUSTER = _object(
    {
        "id": _STRING,
        "name": _STRING,
        "type": {"const": "Microsoft.Cache/redisEnterprise"},
        "kind": {"enum": ["v1", "v2"]},
        "location": _STRING,
        "tags": {"type": ["object", "null"], "additionalProperties": _STRING},
        "sku": _object({"name": _STRING}, {"capacity": {"type": "integer"}}),
        "identity": _object(
            {"type": {"enum": ["None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"]}},
            {"principalId": _STRING, "tenantId": _STRING, "userAssignedIdentities": {"type": "object"}},
        ),
        "properties": _object(
            {
                "provisioningState": {"enum": _STATES},
                "resourceState": {"enum": _RESOURCE_STATES},
                "hostName": _STRING,
                "redundancyMode": {"enum": ["None", "LR", "ZR"]},
                "highAvailability": _SWITCH,
                "minimumTlsVersion": {"const": "1.2"},
                "publicNetworkAccess": _SWITCH,
                "privateEndpointConnections": {"type": "array", "items": ENDPOINT},
            },
            {"encryption": {"type": "object"}, "redisVersion": _STRING},
        ),
    },
    {"zones": {"type": "array", "items": _STRING}},
)
DATABASE = _object(
    {
        "id": _STRING,
        "name": _STRING,
        "type": {"const": "Microsoft.Cache/redisEnterprise/databases"},
        "properties": _object(
            {
                "provisioningState": {"enum": _STATES},
                "resourceState": {"enum": _RESOURCE_STATES},
                "clientProtocol": {"enum": ["Encrypted", "Plaintext"]},
                "port": {"type": "integer"},
                "clusteringPolicy": {"enum": ["OSSCluster", "EnterpriseCluster", "NoCluster"]},
                "evictionPolicy": _STRING,
                "deferUpgrade": {"enum": ["NotDeferred", "Deferred"]},
                "redisVersion": _STRING,
                "accessKeysAuthentication": _SWITCH,
            },
            {
                "persistence": {"type": "object"},
                "modules": {"type": "array"},
                "geoReplication": {"type": "object"},
                "notifyKeyspaceEvents": _STRING,
            },
        ),
    }
)
# No keys, and no result.
OPERATION = _object(
    {
        "id": _STRING,
        "name": _STRING,
        "status": {"enum": ["Pending", "InProgress", "Succeeded", "Failed"]},
        "startTime": _STRING,
        "endTime": _STRING,
    },
    {"error": _object({"code": _STRING, "message": _STRING})},
)
