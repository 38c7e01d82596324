"""Every name that leaves this process, chosen once."""

from typing import Final

GROUP: Final = "secureredis.io"
VERSION: Final = "v1alpha1"
KIND: Final = "SecureRedisCache"
PLURAL: Final = "securerediscaches"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/finalizer"

# Requests by annotation on the resource.
REFRESH: Final = f"{GROUP}/refresh"
PAUSED: Final = f"{GROUP}/paused"
CONFIRM_DELETE: Final = f"{GROUP}/confirm-delete"
ABANDON: Final = f"{GROUP}/abandon"
ADOPT: Final = f"{GROUP}/adopt"
REQUESTS: Final = (REFRESH, PAUSED, CONFIRM_DELETE, ABANDON, ADOPT)

# Consent and identity on a ServiceAccount.
ALLOW: Final = f"{GROUP}/allow"
CLIENT_ID: Final = "azure.workload.identity/client-id"
TENANT_ID: Final = "azure.workload.identity/tenant-id"
DEFAULT_SERVICE_ACCOUNT: Final = "secure-redis"
TOKEN_AUDIENCE: Final = "api://AzureADTokenExchange"  # noqa: S105 - an audience, not a token

# The published Secret. Its type is immutable in Kubernetes, so it can never change.
SECRET_TYPE: Final = "servicebinding.io/redis"  # noqa: S105 - a type, not a secret
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "secure-redis-operator"
CACHE_LABEL: Final = f"{GROUP}/cache"
SECRET_SOURCE: Final = f"{GROUP}/source"
SECRET_VERSION: Final = f"{GROUP}/key-vault-version"
SECRET_SLOT: Final = f"{GROUP}/slot"
SECRET_NOT_AFTER: Final = f"{GROUP}/not-after"
SECRET_RESOURCE: Final = f"{GROUP}/resource"

FIELD_MANAGER: Final = "secure-redis-operator"

# Ownership in Azure. Tag names cannot contain "/".
OWNER_TAG: Final = "secureredis-owner"
LEADER_TAG: Final = "secureredis-leader"
