"""The observation of one pass. A value that could not be read is `Unknown` with the reason, never a default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from secure_redis.domain.observe.authors import Author
from secure_redis.domain.observe.cache import Cache, CacheAbsent, OperationFacts
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import (
    AccessAssignmentFacts,
    AccessPolicyFacts,
    DiagnosticSettingFacts,
    LockFacts,
    PatchWindow,
    RoleAssignmentFacts,
)
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    VaultSecretAbsent,
    VaultSecretFacts,
)
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyVaultFacts,
    StorageAbsent,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.observe.usage import Change, PlaintextUse, SecretCopy
from secure_redis.domain.observe.workloads import BudgetFacts, PodFacts, SecretUser, WorkloadFacts


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one pass observed, at one time."""

    now: datetime
    namespace_terminating: bool = False
    identity: Identity | Unknown | NotRead = NOT_READ
    cache: Cache | CacheAbsent | Unknown | NotRead = NOT_READ
    cache_fresh: bool = False  # read directly in this pass, not from the inventory
    cache_existed: bool = False  # this process read the cache, now or in an earlier pass
    operation: OperationFacts | None = None
    firewall_rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead = NOT_READ
    keys: ListedKeys | Unknown | NotRead = NOT_READ
    vault: VaultSecretFacts | VaultSecretAbsent | Unknown | NotRead = NOT_READ
    authentication: AuthenticationResult | Unknown | NotRead = NOT_READ
    proven: Proven | None = None  # from an earlier pass of this process, for this very version
    secret: SecretFacts | None | Unknown | NotRead = NOT_READ
    former_secrets: tuple[SecretFacts, ...] | Unknown = ()  # of this resource, from an earlier connection.secretName
    secrets_listed: bool = True  # False: the operator may not list Secrets, and found them by recorded names
    # This process read every Secret of this resource, now or in an earlier pass, and none had its ownerReference.
    unreferenced: bool = False
    name_available: bool | Unknown | NotRead = NOT_READ
    workloads: tuple[WorkloadFacts, ...] | Unknown | NotRead = NOT_READ
    # By kind and name; read only for those that `rollout.pods_wanted` names. Missing: not read.
    pods: Mapping[tuple[str, str], tuple[PodFacts, ...] | Unknown] = field(default_factory=dict)
    # Read while a rotation needs them: pods that use the Secret and belong to no workload that carries the injection.
    # Read before a wave: the budgets over the workloads that are read.
    consumers: tuple[PodFacts, ...] | Unknown | NotRead = NOT_READ
    budgets: tuple[BudgetFacts, ...] | Unknown | NotRead = NOT_READ
    # Read before a Secret is deleted: who in the namespace uses it. Empty where there are no permissions on workloads.
    secret_users: tuple[SecretUser, ...] | Unknown | NotRead = NOT_READ
    # AUTH with the key that was regenerated and is not stored yet.
    regenerated: AuthenticationResult | Unknown | NotRead = NOT_READ
    # Who made a difference, by its path and observed value; read only while the difference is new.
    authors: Mapping[tuple[str, str], Author] = field(default_factory=dict)
    # When a regeneration may last have been sent without its outcome being known; None: certainly none was.
    attempted: datetime | None = None
    # The cache's surroundings. NOT_READ: nothing requires it (no probe, no persistence, not switched on).
    # Roles: assigned at the cache or above.
    endpoint: EndpointFacts | Unknown | NotRead = NOT_READ
    storage: StorageFacts | StorageAbsent | Unknown | NotRead = NOT_READ
    blob_service: BlobServiceFacts | Unknown | NotRead = NOT_READ
    encryption_key: EncryptionKeyFacts | Unknown | NotRead = NOT_READ  # of the account or the cluster
    # Before a cluster is changed: the key that the spec declares for its disks, and the SKUs that Azure offers.
    declared_key: EncryptionKeyFacts | Unknown | NotRead = NOT_READ
    key_roles: tuple[RoleAssignmentFacts, ...] | Unknown | NotRead = NOT_READ  # of the identity that is to read it
    scaling_options: tuple[str, ...] | Unknown | NotRead = NOT_READ
    patch_schedule: tuple[PatchWindow, ...] | Unknown | NotRead = NOT_READ
    access_policies: tuple[AccessPolicyFacts, ...] | Unknown | NotRead = NOT_READ
    access_assignments: tuple[AccessAssignmentFacts, ...] | Unknown | NotRead = NOT_READ
    locks: tuple[LockFacts, ...] | Unknown | NotRead = NOT_READ
    role_assignments: tuple[RoleAssignmentFacts, ...] | Unknown | NotRead = NOT_READ  # cache's
    vault_properties: KeyVaultFacts | Unknown | NotRead = NOT_READ  # of authentication.keyVault
    diagnostics: tuple[DiagnosticSettingFacts, ...] | Unknown | NotRead = NOT_READ
    changes: tuple[Change, ...] | Unknown | NotRead = NOT_READ  # of the cache's settings, from the activity log
    plaintext_uses: tuple[PlaintextUse, ...] | Unknown | NotRead = NOT_READ  # in the listed workloads
    plaintext_unread: Unknown | None = None  # why not all of their settings could be read
    secret_copies: tuple[SecretCopy, ...] | Unknown | NotRead = NOT_READ  # only with compliance.foreignSecrets
    # Before persistence is set: what the cache's identity may do in the declared account; the connection string.
    storage_roles: tuple[RoleAssignmentFacts, ...] | Unknown | NotRead = NOT_READ
    storage_secret: SecretFacts | None | Unknown | NotRead = NOT_READ


_NAMES: Final = tuple(one.name for one in fields(Observation))
_VALUES: Final = attrgetter(*_NAMES)


def changed(observed: Observation, **changes: Any) -> Observation:
    """`dataclasses.replace` in a third of its time (measured): a pass makes half a dozen of them."""
    return Observation(**{**dict(zip(_NAMES, _VALUES(observed), strict=True)), **changes})
