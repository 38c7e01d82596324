"""Every name that leaves this process, chosen once."""

from hashlib import sha256
from typing import Final

GROUP: Final = "secureredis.io"
VERSION: Final = "v1alpha1"
KIND: Final = "SecureRedisCache"
PLURAL: Final = "securerediscaches"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/finalizer"
# On each resource: which install of the operator serves it, as <namespace>/<name> of its Lease.
OPERATOR: Final = f"{GROUP}/operator"

# On each resource whose namespace does not let the operator list Secrets: the names of its Secrets.
SECRETS: Final = f"{GROUP}/secrets"

# Requests by annotation on the resource.
REFRESH: Final = f"{GROUP}/refresh"
PAUSED: Final = f"{GROUP}/paused"
CONFIRM_DELETE: Final = f"{GROUP}/confirm-delete"
ABANDON: Final = f"{GROUP}/abandon"
ADOPT: Final = f"{GROUP}/adopt"
ROTATE: Final = f"{GROUP}/rotate"
APPROVE_ROTATION: Final = f"{GROUP}/approve-rotation"
CONFIRM_STORAGE_ROLE: Final = f"{GROUP}/confirm-storage-role"
ALLOW_DISRUPTION: Final = f"{GROUP}/allow-disruption"
REQUESTS: Final = (
    REFRESH,
    PAUSED,
    CONFIRM_DELETE,
    ABANDON,
    ADOPT,
    ROTATE,
    APPROVE_ROTATION,
    CONFIRM_STORAGE_ROLE,
    ALLOW_DISRUPTION,
)
# Prefixes of a value of ROTATE that request more than the next rotation.
EMERGENCY: Final = "emergency-"
EMERGENCY_FORCE: Final = "emergency-force-"

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
SECRET_UID: Final = f"{GROUP}/resource-uid"  # records which resource owns the Secret
SECRET_ENTRIES: Final = f"{GROUP}/entries"  # the entries that the resource declares, each with its template
SECRET_PUBLISHED: Final = f"{GROUP}/published-at"  # since when the Secret holds this version
SECRET_ROTATION: Final = f"{GROUP}/rotation"  # which rotation request was answered, or is being carried out

# On the operator's own Lease: what must outlive a process.
LEASE_VERSION: Final = f"{GROUP}/version"
LEASE_MASS_DRIFT: Final = f"{GROUP}/mass-drift"

FIELD_MANAGER: Final = "secure-redis-operator"

# The Secret that brings a storage account's connection string: created by the user, only read here.
STORAGE_SECRET_TYPE: Final = f"{GROUP}/storage-connection"
STORAGE_SECRET_KEY: Final = "connectionString"  # noqa: S105 - a key, not a secret

# Ownership in Azure. Tag names cannot contain "/".
OWNER_TAG: Final = "secureredis-owner"
LEADER_TAG: Final = "secureredis-leader"
# On a cache from its creation on, until its network and its persistence are as declared.
CREATION_TAG: Final = "secureredis-creation"
CREATION_INCOMPLETE: Final = "incomplete"
CREATION_PERSISTENCE: Final = "persistence"  # the network was as declared once; persistence is not set yet
# On the current version of a Key Vault secret while a key is regenerated: it shows whether it was.
ROTATION_TAG: Final = "secureredis-rotation"
# On a version that a rotation stored: which rotation, and for which request.
ROTATED_TAG: Final = "secureredis-rotated"

# Injection. A workload consents by the label (so that the server can select it) and names the resources.
INJECT: Final = f"{GROUP}/inject"
RESOURCES: Final = f"{GROUP}/resources"
SERVICE_BINDING_ROOT: Final = "SERVICE_BINDING_ROOT"
DEFAULT_BINDING_ROOT: Final = "/bindings"
MANAGER_PREFIX: Final = f"{GROUP}/"
VOLUME_PREFIX: Final = "secureredis-"

_LONGEST_LABEL = 63  # characters of a DNS label, which the name of a volume is
_LONGEST_MANAGER = 128  # characters of a field manager


def version_annotation(resource: str) -> str:
    """Return the pod template's annotation that holds the Key Vault version a pod was started for."""
    return f"{resource}.{GROUP}/version"


def volume_name(resource: str) -> str:
    """Return the name of the operator's volume in a workload: a DNS label, so a long or dotted name is hashed."""
    plain = f"{VOLUME_PREFIX}{resource}"
    if len(plain) <= _LONGEST_LABEL and "." not in resource:
        return plain
    digest = sha256(resource.encode()).hexdigest()[:12]
    kept = resource.replace(".", "-")[: _LONGEST_LABEL - len(VOLUME_PREFIX) - len(digest) - 1].rstrip("-")
    return f"{VOLUME_PREFIX}{kept}-{digest}"


def field_manager(resource: str) -> str:
    """The field manager of one resource's injections. Never to change: a new name would orphan what is injected."""
    plain = f"{MANAGER_PREFIX}{resource}"
    return plain if len(plain) <= _LONGEST_MANAGER else f"{MANAGER_PREFIX}{sha256(resource.encode()).hexdigest()}"
