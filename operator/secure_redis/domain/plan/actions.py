"""What a plan can hold. Each action states when it may run and how one sees that it is done; `act` has its effect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.grants import Power
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.keys import Slot


@dataclass(frozen=True, slots=True)
class Action:
    """Base of all actions. Every action is idempotent and safe to repeat after a crash at any point."""


# --- Kubernetes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddFinalizer(Action):
    """First action of a resource. Done: the finalizer is on the object."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer(Action):
    """Last action of a resource that goes. Done: the finalizer is off, or the object is gone."""


@dataclass(frozen=True, slots=True)
class CreateSecret(Action):
    """First write of the published Secret: a create, so that a foreign one is never taken. Done: it is there."""

    name: str
    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ApplySecret(Action):
    """Later writes: apply by force on exactly this object (`uid`). `adopt`: set our ownerReference too."""

    name: str
    uid: str
    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseSecret(Action):
    """Takes our ownerReference off, so that the Secret outlives the resource. Done: no controller owner of ours."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteSecret(Action):
    """Deletes exactly this object. Done: it is gone."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class WorkloadAction(Action):
    """A change of one workload's pod template: exactly this object (`uid`), as it was read (`resource_version`).

    `apply`: body of a server-side apply without force: the template's annotation and the volume. `strategic`: body of
    a strategic merge patch: env and mounts of containers by name. An empty body: that write is not needed.
    `rehearsal`: strategic merge body of what both come to (a mount is invalid without its volume, so neither can be
    tried alone): send it as a server dry-run before the first write. `strategic_first`: mounts go before the volume.
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


@dataclass(frozen=True, slots=True)
class InjectWorkload(WorkloadAction):
    """Puts the Secret into a workload, or brings it up to a version. Done: `injection.current` says so."""

    version: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseWorkload(WorkloadAction):
    """Takes all of ours out of a workload. Done: nothing in it is owned by us."""


# --- Azure ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AzureAction(Action):
    """A write to Azure: needs a power, is audited, and ends the pass (one update at a time)."""

    power: Power = field(init=False, default=Power.CORRECT)


@dataclass(frozen=True, slots=True)
class CreateCache(AzureAction):
    """PUT of a cache that was never seen, by a raw body with the ownership tag. Done: a direct read finds it."""

    body: Mapping[str, Any]
    power: Power = field(init=False, default=Power.PROVISION)


@dataclass(frozen=True, slots=True)
class UpdateCache(AzureAction):
    """PATCH with only what differs. `fields`: the names for the audit record. Done: a read shows no difference."""

    body: Mapping[str, Any]
    fields: tuple[str, ...]
    power: Power = field(init=False, default=Power.CORRECT)


@dataclass(frozen=True, slots=True)
class PersistCache(AzureAction):
    """PATCH of redisConfiguration's persistence settings. Done: a read shows them.

    `account`: what is persisted into, for the grants. `secret`: the connection string, which goes under the name
    `secret_setting`; no other part of an action or outcome ever holds it.
    """

    settings: Mapping[str, str]
    account: StorageAccountID | None = None
    secret_setting: str | None = None
    secret: SecretStr | None = None
    power: Power = field(init=False, default=Power.CORRECT)


@dataclass(frozen=True, slots=True)
class AdoptCache(AzureAction):
    """PATCH of the tags (observed, declared and the ownership tag together). Done: the tag is ours."""

    tags: Mapping[str, str]
    power: Power = field(init=False, default=Power.PROVISION)


@dataclass(frozen=True, slots=True)
class PutFirewallRule(AzureAction):
    """Adds or corrects one rule. Done: it is listed so."""

    rule: FirewallRuleFacts
    power: Power = field(init=False, default=Power.CORRECT)


@dataclass(frozen=True, slots=True)
class DeleteFirewallRule(AzureAction):
    """Removes one undeclared rule. Done: it is not listed."""

    name: str
    power: Power = field(init=False, default=Power.CORRECT)


@dataclass(frozen=True, slots=True)
class DeleteCache(AzureAction):
    """DELETE of a cache that carries our tag and was confirmed by name. Done: a direct read answers 404."""

    power: Power = field(init=False, default=Power.DELETE)


@dataclass(frozen=True, slots=True)
class StoreKey(AzureAction):
    """A new version of the Key Vault secret. Done: the current version's value is this key."""

    vault: str
    secret_name: str
    value: SecretStr
    tags: Mapping[str, str]
    expires: datetime | None = None
    power: Power = field(init=False, default=Power.STORE_KEY)


@dataclass(frozen=True, slots=True)
class MarkKey(AzureAction):
    """Tags (all of them) on a version of the Key Vault secret: what tells later whether a key was regenerated.

    Also shows, before anything irreversible, that the vault can be written. Done: the version carries the tags.
    """

    vault: str
    secret_name: str
    version: str
    tags: Mapping[str, str]
    power: Power = field(init=False, default=Power.STORE_KEY)


@dataclass(frozen=True, slots=True)
class RegenerateKey(AzureAction):
    """POST regenerateKey, once and never repeated by the transport. Done: the listed key is not the marked one."""

    slot: Slot
    power: Power = field(init=False, default=Power.ROTATE)


# --- the outcome ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The action took effect (or had already)."""

    action: Action


@dataclass(frozen=True, slots=True)
class Failed:
    """The action did not take effect; `reason` and `message` go to the status as they are."""

    action: Action
    reason: Reason
    message: str
    permanent: bool = False
    retry_after: float | None = None
    maybe_done: bool = False  # the answer was lost: it may have been done all the same


Outcome = Done | Failed
