"""Define the actions of a plan, one class each in closed unions. `domain.plan.outcomes` has what becomes of one.

Every action is idempotent and safe to repeat after a crash at any point. Its docstring names its effect and, after
"Done:", what proves that it is complete. `reconciler.act` has one branch for each; a missing branch is a type error.
`target` and `audited_fields` go into the audit record: names only, never values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.names import ROTATION_TAG
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.keys import Slot

# --- the resource itself --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnResource:
    """An action on the resource's own object."""

    def target(self, resource: SecureRedisCache) -> str:
        """Return the object."""
        return f"SecureRedisCache {resource.key.namespace}/{resource.key.name}"

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The parts of the metadata that these actions change."""
        return ("annotations", "finalizers")


@dataclass(frozen=True, slots=True)
class RecordSecrets(_OnResource):
    """Annotate the object with the names of its Secrets, before one is written where Secrets may not be listed.

    Done: the annotation is on the object as planned; without names, it is absent.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddFinalizer(_OnResource):
    """Put the operator's finalizer on the object, before the first work that its deletion has to end.

    Done: it is on the object.
    """


@dataclass(frozen=True, slots=True)
class RemoveFinalizer(_OnResource):
    """Take the finalizer off, once the deletion has no work left. Done: it is off, or the object is gone."""


ResourceAction = AddFinalizer | RemoveFinalizer | RecordSecrets

# --- the published Secret -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnSecret:
    """An action on one Secret of the resource's namespace."""

    name: str

    def target(self, resource: SecureRedisCache) -> str:
        """Return the Secret."""
        return f"Secret {resource.key.namespace}/{self.name}"

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """No field of the data is written."""
        return ()


@dataclass(frozen=True, slots=True)
class CreateSecret(_OnSecret):
    """Create the published Secret. A create never takes over a Secret of another party. Done: it exists."""

    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the data."""
        return tuple(sorted(self.data))


@dataclass(frozen=True, slots=True)
class ApplySecret(_OnSecret):
    """Apply the Secret by force, on exactly this object (`uid`). Done: a read shows this content."""

    uid: str
    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the data."""
        return tuple(sorted(self.data))


@dataclass(frozen=True, slots=True)
class ReleaseSecret(_OnSecret):
    """Remove the annotation by which this resource owns the Secret. Done: the resource does not own it."""

    uid: str


@dataclass(frozen=True, slots=True)
class RemoveOwnerReference(_OnSecret):
    """Remove this resource's ownerReferences, with which its deletion takes the Secret along. Done: none is left."""

    uid: str


@dataclass(frozen=True, slots=True)
class DeleteSecret(_OnSecret):
    """Delete exactly this Secret. Done: it is gone."""

    uid: str


SecretAction = CreateSecret | ApplySecret | ReleaseSecret | RemoveOwnerReference | DeleteSecret

# --- workloads ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnWorkload:
    """A change of one workload's pod template: exactly this object (`uid`), as it was read (`resource_version`).

    `apply`: body of a server-side apply without force: the template's annotation and the volume. `strategic`: body of
    a strategic merge patch: env and mounts of containers by name. An empty body: that write is not needed.
    `rehearsal`: strategic merge body of the result of both. Send it as a server dry-run before the first write: a
    mount is invalid without its volume, so neither can be tried alone. `strategic_first`: mounts go before the volume.
    The two patches carry no resourceVersion: after the first write it is the one which that write answered.
    Each write is idempotent; after a crash between them the next pass plans the other one.
    """

    kind: str
    name: str
    uid: str
    resource_version: str
    apply: Mapping[str, Any]
    strategic: Mapping[str, Any]
    rehearsal: Mapping[str, Any]
    strategic_first: bool = False
    generation: int = 0  # as it was read: while it is this one, a newer resourceVersion is only a newer status

    def target(self, resource: SecureRedisCache) -> str:
        """Return the workload."""
        return f"{self.kind} {resource.key.namespace}/{self.name}"

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The parts of the pod template that are written."""
        applied = ("annotations", "volumes") if self.apply else ()
        patched = ("env", "volumeMounts") if self.strategic else ()
        return (*applied, *patched)


@dataclass(frozen=True, slots=True)
class InjectWorkload(_OnWorkload):
    """Put the Secret into a workload, or bring it up to a version. Done: `injection.current` is true."""

    version: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseWorkload(_OnWorkload):
    """Remove everything that the operator owns from a workload. Done: it owns nothing in it."""


WorkloadAction = InjectWorkload | ReleaseWorkload
KubernetesAction = SecretAction | WorkloadAction

# --- Azure ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnCache:
    """A write to the cache."""

    def target(self, resource: SecureRedisCache) -> str:
        """Return the cache."""
        return resource.cache.text

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """No single field is written."""
        return ()


@dataclass(frozen=True, slots=True)
class CreateCache(_OnCache):
    """PUT a cache that was never observed, by a raw body with the ownership tag. Done: a direct read finds it."""

    body: Mapping[str, Any]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names in the body."""
        return tuple(sorted([*self.body, *(f"properties.{name}" for name in self.body.get("properties", {}))]))


@dataclass(frozen=True, slots=True)
class UpdateCache(_OnCache):
    """PATCH only what differs. `fields`: the names of what differs. Done: a read shows no difference."""

    body: Mapping[str, Any]
    fields: tuple[str, ...]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the differing fields."""
        return self.fields


@dataclass(frozen=True, slots=True)
class CreateDatabase(_OnCache):
    """PUT the database of a cluster that has none, by raw properties. Done: a read finds it."""

    properties: Mapping[str, Any]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the properties."""
        return tuple(sorted(f"databases/default/{name}" for name in self.properties))


@dataclass(frozen=True, slots=True)
class UpdateDatabase(_OnCache):
    """Read the database of a cluster, change these properties, PUT the whole. Done: a read shows no difference."""

    changes: Mapping[str, Any]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the properties that are changed."""
        return tuple(sorted(f"databases/default/{name}" for name in self.changes))


@dataclass(frozen=True, slots=True)
class PersistCache(_OnCache):
    """PATCH redisConfiguration's persistence settings. Done: a read shows them.

    `account`: what is persisted into, for the grants. `secret`: the connection string, which goes under the name
    `secret_setting`; no other part of an action or outcome ever contains it.
    """

    settings: Mapping[str, str]
    account: StorageAccountID | None = None
    secret_setting: str | None = None
    secret: SecretStr | None = None

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The names of the settings."""
        names = (*self.settings, *((self.secret_setting,) if self.secret_setting else ()))
        return tuple(sorted(f"redisConfiguration.{name}" for name in names))


@dataclass(frozen=True, slots=True)
class AdoptCache(_OnCache):
    """PATCH the tags (observed, declared and the ownership tag together). Done: the tag names this resource."""

    tags: Mapping[str, str]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The tags as a whole."""
        return ("tags",)


@dataclass(frozen=True, slots=True)
class PutFirewallRule(_OnCache):
    """Add or correct one firewall rule. Done: the list of rules contains it."""

    rule: FirewallRuleFacts

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The rule."""
        return (f"firewallRules/{self.rule.name}",)


@dataclass(frozen=True, slots=True)
class DeleteFirewallRule(_OnCache):
    """Remove one undeclared firewall rule. Done: the list of rules does not contain it."""

    name: str

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The rule."""
        return (f"firewallRules/{self.name}",)


@dataclass(frozen=True, slots=True)
class PutPatchSchedule(_OnCache):
    """PUT all maintenance windows of a cache. Done: a read shows them."""

    windows: tuple[PatchWindow, ...]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The schedule as a whole."""
        return ("patchSchedules/default",)


@dataclass(frozen=True, slots=True)
class DeleteCache(_OnCache):
    """DELETE a cache that carries the ownership tag and was confirmed by name. Done: a direct read answers 404."""


@dataclass(frozen=True, slots=True)
class RegenerateKey(_OnCache):
    """POST regenerateKey, once and never repeated by the transport. Done: the listed key is not the marked one."""

    slot: Slot

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """Which of the two keys."""
        return (f"keys.{self.slot}",)


@dataclass(frozen=True, slots=True)
class _OnVault:
    """A write to one secret of a key vault."""

    vault: str
    secret_name: str

    def target(self, resource: SecureRedisCache) -> str:
        """Return the vault's secret."""
        return f"{self.vault}/secrets/{self.secret_name}"


@dataclass(frozen=True, slots=True)
class StoreKey(_OnVault):
    """Store a new version of the Key Vault secret. Done: the current version's value is this key."""

    value: SecretStr
    tags: Mapping[str, str]
    expires: datetime | None = None

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The value and the names of the tags."""
        return ("value", *(f"tags.{name}" for name in sorted(self.tags)))


@dataclass(frozen=True, slots=True)
class MarkKey(_OnVault):
    """Put tags (all of them) on a version of the Key Vault secret. Done: the version carries the tags.

    The tags show later whether a key was regenerated. The write also shows, before anything irreversible, that the
    vault can be written.
    """

    version: str
    tags: Mapping[str, str]

    @property
    def audited_fields(self) -> tuple[str, ...]:
        """The tag that identifies the attempt."""
        return (f"tags.{ROTATION_TAG}",)


CacheAction = (
    CreateCache
    | UpdateCache
    | CreateDatabase
    | UpdateDatabase
    | PersistCache
    | AdoptCache
    | PutFirewallRule
    | PutPatchSchedule
    | DeleteFirewallRule
    | DeleteCache
    | RegenerateKey
)
VaultAction = StoreKey | MarkKey
AzureAction = CacheAction | VaultAction  # at most one of them changes a cache in a pass
Action = ResourceAction | KubernetesAction | AzureAction
