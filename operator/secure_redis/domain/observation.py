"""What one pass saw. What could not be read is `Unknown` with the reason, never a default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretBytes, SecretStr

from secure_redis.api.reasons import Reason
from secure_redis.api.resource_id import CacheID
from secure_redis.domain.further_facts import Change, PlaintextUse, SecretCopy
from secure_redis.domain.persistence_facts import PersistenceFacts
from secure_redis.domain.workload_facts import BudgetFacts, ContainerFacts, EnvFacts, Owned, PodFacts, WorkloadFacts

if TYPE_CHECKING:  # they are made of what is below
    from secure_redis.domain import endpoint, managed_facts, storage_facts, surroundings_facts

__all__ = ["BudgetFacts", "ContainerFacts", "EnvFacts", "Owned", "PodFacts", "WorkloadFacts"]  # part of what is seen


@dataclass(frozen=True, slots=True)
class Unknown:
    """A thing that could not be read. `retry_after` in seconds where the other side named a time."""

    reason: Reason
    message: str
    retry_after: float | None = None
    permanent: bool = False  # no retry will mend it
    maybe_done: bool = False  # a write that the other side may have done all the same: the answer was lost
    permission: str | None = None  # the Azure action that the identity lacks and that would allow it


@dataclass(frozen=True, slots=True)
class NotRead:
    """A thing this pass had no need to read. `soon`: a later one will, within minutes."""

    soon: bool = False


NOT_READ = NotRead()
NOT_READ_YET = NotRead(soon=True)


# --- identity -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceAccountFacts:
    """A ServiceAccount's annotations that concern us."""

    name: str
    uid: str
    client_id: str | None
    tenant_id: str | None
    allow: tuple[str, ...]  # resource names, or "*"


@dataclass(frozen=True, slots=True)
class NamespaceIdentity:
    """An Azure identity federated with a ServiceAccount of the resource's own namespace."""

    namespace: str
    service_account: str
    uid: str
    client_id: str
    tenant_id: str

    def __str__(self) -> str:
        return f"ServiceAccount {self.namespace}/{self.service_account} (client {self.client_id})"


@dataclass(frozen=True, slots=True)
class OperatorIdentity:
    """The operator's own Azure identity, usable only through grants."""

    def __str__(self) -> str:
        return "the operator's identity"


Identity = NamespaceIdentity | OperatorIdentity


# --- the cache ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrivateEndpoint:
    """A private endpoint connection: `status` is Approved, Pending, Rejected or Disconnected."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class FirewallRuleFacts:
    """A firewall rule as Azure holds it (`name` without the cache's prefix)."""

    name: str
    start_ip: str
    end_ip: str


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """A cache as Azure answered. `None`: the answer did not say; that is not the same as safe."""

    resource_id: CacheID
    location: str
    sku_name: str
    sku_family: str
    sku_capacity: int
    provisioning_state: str
    host_name: str | None = None
    tls_port: int | None = None
    plaintext_port: int | None = None
    redis_version: str | None = None
    non_tls_port_enabled: bool | None = None
    minimum_tls_version: str | None = None
    public_network_access: str | None = None
    access_keys_disabled: bool | None = None
    authentication_disabled: bool | None = None  # redisConfiguration.authnotrequired
    entra_enabled: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    replicas: int | None = None
    shards: int | None = None
    subnet_id: str | None = None
    identity_type: str | None = None
    user_assigned_ids: tuple[str, ...] = ()
    principal_id: str | None = None  # object id of the system-assigned identity
    user_assigned_principals: Mapping[str, str] = field(default_factory=dict)  # object ids by ARM id, as answered
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    linked_servers: tuple[str, ...] = ()  # ARM ids of the geo-replication links
    persistence: PersistenceFacts = field(default_factory=PersistenceFacts)
    memory_reserved_mb: int | None = None  # redisConfiguration.maxmemory-reserved
    eviction_policy: str | None = None  # redisConfiguration.maxmemory-policy
    update_channel: str | None = None  # Stable, Preview

    @property
    def has_approved_private_endpoint(self) -> bool:
        """Whether at least one private endpoint connection is approved."""
        return any(endpoint.status.lower() == "approved" for endpoint in self.private_endpoints)


@dataclass(frozen=True, slots=True)
class CacheAbsent:
    """Azure answered 404 to a direct read. `confirmed`: twice, the wanted time apart."""

    confirmed: bool
    message: str
    group_missing: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Somebody's write to the cache, as the Activity Log tells it. `application`: the client id, of an application."""

    caller: str
    at: datetime
    application: str | None = None


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """The last long-running operation this process started on the cache; none survives a restart."""

    status: str  # InProgress | Succeeded | Failed | Canceled
    code: str | None = None
    message: str | None = None


# --- keys and the vault ---------------------------------------------------------------------------------------------


class Slot(StrEnum):
    """Which of a cache's two keys."""

    PRIMARY = "Primary"
    SECONDARY = "Secondary"


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """Both keys as listKeys answered."""

    primary: SecretStr
    secondary: SecretStr


@dataclass(frozen=True, slots=True)
class VaultSecretFacts:
    """One version of a Key Vault secret. `value` is None where the version was not usable, so it was not kept."""

    vault: str
    name: str
    version: str
    enabled: bool
    value: SecretStr | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    latest: bool = True  # False: a pinned version that is not the newest
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class VaultSecretAbsent:
    """The vault answered that there is no such secret (or version)."""

    message: str
    deleted: bool = False  # soft-deleted: the name cannot be reused


class ProvenBy(StrEnum):
    """Why a value is known to be a live key."""

    LISTED = "Listed"  # equals one of the two keys that listKeys answered
    AUTHENTICATED = "Authenticated"  # AUTH over verified TLS
    TAGGED = "Tagged"  # the vault's owner says so


@dataclass(frozen=True, slots=True)
class Proven:
    """A vault value is a live key of this cache; `slot` where it is known which."""

    by: ProvenBy
    slot: Slot | None


class AuthenticationResult(StrEnum):
    """What AUTH over verified TLS at the host that ARM reports said."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"


# --- Kubernetes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A Secret of the resource's namespace that bears the published name."""

    name: str
    uid: str
    resource_version: str
    type: str
    data: Mapping[str, SecretBytes] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_uid: str | None = None  # of the controller ownerReference
    owner_name: str | None = None
    owner_kind: str | None = None
    immutable: bool = False
    deleting: bool = False
    # Names that our own writes put there and still hold.
    own_labels: frozenset[str] = frozenset()
    own_annotations: frozenset[str] = frozenset()


# --- the whole ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one pass saw, at one time."""

    now: datetime
    namespace_terminating: bool = False
    identity: Identity | Unknown | NotRead = NOT_READ
    cache: CacheFacts | CacheAbsent | Unknown | NotRead = NOT_READ
    cache_fresh: bool = False  # read directly in this pass, not from the inventory
    operation: OperationFacts | None = None
    firewall_rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead = NOT_READ
    keys: ListedKeys | Unknown | NotRead = NOT_READ
    vault: VaultSecretFacts | VaultSecretAbsent | Unknown | NotRead = NOT_READ
    authentication: AuthenticationResult | Unknown | NotRead = NOT_READ
    proven: Proven | None = None  # from an earlier pass of this process, for this very version
    secret: SecretFacts | None | Unknown | NotRead = NOT_READ
    former_secrets: tuple[SecretFacts, ...] | Unknown = ()  # of this resource, from an earlier connection.secretName
    name_available: bool | Unknown | NotRead = NOT_READ
    workloads: tuple[WorkloadFacts, ...] | Unknown | NotRead = NOT_READ
    # By kind and name; read only for those that `rollout.pods_wanted` names. Missing: not read.
    pods: Mapping[tuple[str, str], tuple[PodFacts, ...] | Unknown] = field(default_factory=dict)
    # Read while a rotation wants them: pods that use the Secret and belong to no workload that carries our injection;
    # and, before a wave, the budgets over the workloads that are read.
    holders: tuple[PodFacts, ...] | Unknown | NotRead = NOT_READ
    budgets: tuple[BudgetFacts, ...] | Unknown | NotRead = NOT_READ
    # AUTH with the key that was regenerated and is not stored yet.
    regenerated: AuthenticationResult | Unknown | NotRead = NOT_READ
    # Who wrote to the cache lately, newest first; read only while drift is new.
    writes: tuple[Write, ...] | Unknown | NotRead = NOT_READ
    # When a regeneration may last have been sent without its outcome being known; None: certainly none was.
    attempted: datetime | None = None
    # What stands around the cache. NOT_READ: nothing asked for it (no probe, no persistence, not switched on).
    # Roles: assigned at the cache or above.
    managed_cache: "managed_facts.ManagedFacts | CacheAbsent | Unknown | NotRead" = NOT_READ
    endpoint: "endpoint.EndpointFacts | Unknown | NotRead" = NOT_READ
    storage: "storage_facts.StorageFacts | storage_facts.StorageAbsent | Unknown | NotRead" = NOT_READ
    blob_service: "storage_facts.BlobServiceFacts | Unknown | NotRead" = NOT_READ
    encryption_key: "storage_facts.EncryptionKeyFacts | Unknown | NotRead" = NOT_READ  # of the account or the cluster
    patch_schedule: "tuple[surroundings_facts.PatchWindow, ...] | Unknown | NotRead" = NOT_READ
    access_policies: "tuple[surroundings_facts.AccessPolicyFacts, ...] | Unknown | NotRead" = NOT_READ
    access_assignments: "tuple[surroundings_facts.AccessAssignmentFacts, ...] | Unknown | NotRead" = NOT_READ
    locks: "tuple[surroundings_facts.LockFacts, ...] | Unknown | NotRead" = NOT_READ
    role_assignments: "tuple[surroundings_facts.RoleAssignmentFacts, ...] | Unknown | NotRead" = NOT_READ  # cache's
    vault_properties: "storage_facts.KeyVaultFacts | Unknown | NotRead" = NOT_READ  # of authentication.keyVault
    diagnostics: "tuple[surroundings_facts.DiagnosticSettingFacts, ...] | Unknown | NotRead" = NOT_READ
    changes: tuple[Change, ...] | Unknown | NotRead = NOT_READ  # of the cache's settings, from the activity log
    plaintext_uses: tuple[PlaintextUse, ...] | Unknown | NotRead = NOT_READ  # in the listed workloads
    plaintext_unseen: Unknown | None = None  # why not all of their settings could be seen
    secret_copies: tuple[SecretCopy, ...] | Unknown | NotRead = NOT_READ  # only with compliance.foreignSecrets
    # Before persistence is set: what the cache's identity may do in the declared account; the connection string.
    storage_roles: "tuple[surroundings_facts.RoleAssignmentFacts, ...] | Unknown | NotRead" = NOT_READ
    storage_secret: SecretFacts | None | Unknown | NotRead = NOT_READ


_NAMES: Final = tuple(one.name for one in fields(Observation))
_VALUES: Final = attrgetter(*_NAMES)


def changed(seen: Observation, **changes: Any) -> Observation:
    """`dataclasses.replace` in a third of its time (measured): a look makes half a dozen of them."""
    return Observation(**{**dict(zip(_NAMES, _VALUES(seen), strict=True)), **changes})
