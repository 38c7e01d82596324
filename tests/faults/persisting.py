"""Setting persistence as scenarios: by managed identity, whose role others assign, and by a connection string."""

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount, blob_data_contributor, storage_scope
from sandbox.world import SUBSCRIPTION, TENANT
from secure_redis.api import names
from tests.faults.scenarios import Json, Scenario, Stage, annotate, apply, converged, owned, provisioned, ready

PREMIUM: Json = {"name": "Premium", "family": "P", "capacity": 1}
_CLOSED: Json = {"networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"}, "allowSharedKeyAccess": False}
_OPEN: Json = {"networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"}, "allowSharedKeyAccess": True}
_READS = ("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/blobServices/read")
_ROLES = ("Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleDefinitions/read")


@dataclass(frozen=True)
class Persisted(Stage):
    """A stage with a storage account, and with a person who assigns the role on it once the status asks for it."""

    assigned: set[str] = field(default_factory=set)

    @property
    def account(self) -> str:
        """The account's name, which is unique in all of Azure."""
        return f"d{self.name.removeprefix('c-')}"

    @property
    def account_id(self) -> str:
        """Its ARM id."""
        return storage_scope(SUBSCRIPTION, self.team.name, self.account)

    def others(self) -> None:
        """Assign the role to whom the status names, once."""
        cache = self.world.control.redis.get(self.name) or {}
        principal = str((cache.get("identity") or {}).get("principalId") or "")
        if not principal or principal in self.assigned or not self._asks_for(principal):
            return
        self.assigned.add(principal)
        self.world.control.seed(blob_data_contributor(principal, self.account_id))
        annotate(self, refresh=uuid.uuid4().hex)

    def end(self) -> Json:
        """With how the cache persists, and as whom."""
        cache = self.world.control.redis.get(self.name) or {"properties": {}}
        settings: Json = cache["properties"].get("redisConfiguration") or {}
        told = {name: value for name, value in settings.items() if name.startswith(("rdb", "aof", "pref", "storage"))}
        return {
            **super().end(),
            "persistence": {name: value.replace(self.account, "ACCOUNT") for name, value in told.items()},
            "identity": (cache.get("identity") or {}).get("type"),
            "waits": len(self.assigned),
        }

    def dangers(self) -> list[str]:
        """Include persistence by an identity that does not have the role yet: it would fail, and data be lost."""
        cache = self.world.control.redis.get(self.name) or {"properties": {}}
        settings: Json = cache["properties"].get("redisConfiguration") or {}
        on = "true" in (settings.get("rdb-backup-enabled"), settings.get("aof-backup-enabled"))
        by_identity = settings.get("preferred-data-persistence-auth-method") == "ManagedIdentity"
        principal = (cache.get("identity") or {}).get("principalId")
        early = on and by_identity and principal not in self.assigned and not self._confirmed()
        return [*super().dangers(), *(["it persists before its identity has the role"] if early else [])]

    def _asks_for(self, principal: str) -> bool:
        found = self.world.get(self.document) or {}
        listed = found.get("status", {}).get("conditions", [])
        return any(one["reason"] == "StorageRoleMissing" and principal in one.get("message", "") for one in listed)

    def _confirmed(self) -> bool:
        found = self.world.get(self.document) or {}
        return bool(found.get("metadata", {}).get("annotations", {}).get(names.CONFIRM_STORAGE_ROLE) == self.account)


# --- the scenarios --------------------------------------------------------------------------------------------------


def _of(stage: Stage) -> Persisted:
    assert isinstance(stage, Persisted)
    return stage


def _account(stage: Stage, properties: Json, *actions: str) -> None:
    """The account, and what the team's identity may read of it."""
    account = StorageAccount(subscription=SUBSCRIPTION, group=stage.team.name, name=_of(stage).account)
    stage.world.control.seed(
        account.model_copy(update={"properties": properties}),
        seeds.RoleAssignment(object_id=stage.team.object_id, scope=stage.team.group_scope, actions=actions),
    )


def _by_role(stage: Stage) -> None:
    """A Premium cache of the operator; the operator can read its identity's roles."""
    _account(stage, _CLOSED, *_READS, *_ROLES)
    owned(stage, sku=PREMIUM)


def _by_word(stage: Stage) -> None:
    """A Premium cache of the operator; a person has to state that the role is assigned."""
    _account(stage, _CLOSED, *_READS)
    owned(stage, sku=PREMIUM)


def _by_string(stage: Stage) -> None:
    """A Premium cache of the operator, and the connection string."""
    _account(stage, _OPEN, *_READS)
    _secret(stage)
    owned(stage, sku=PREMIUM)


def _to_be_made(stage: Stage) -> None:
    """No cache yet."""
    _account(stage, _CLOSED, *_READS, *_ROLES)


def _persisting(stage: Stage) -> None:
    """A cache of the operator that persists already."""
    blob = f"https://{_of(stage).account}.blob.{stage.world.control.endpoints.domain}"
    settings = {
        "rdb-backup-enabled": "true",
        "rdb-backup-frequency": "60",
        "preferred-data-persistence-auth-method": "ManagedIdentity",
        "rdb-storage-connection-string": blob,
    }
    _account(stage, _CLOSED, *_READS, *_ROLES)
    principal = str(uuid.uuid4())
    _of(stage).assigned.add(principal)
    identity = {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT}
    owned(stage, sku=PREMIUM, redis_configuration=settings, identity=identity)


def _secret(stage: Stage) -> None:
    key = base64.b64encode(uuid.uuid4().bytes * 4).decode()
    value = f"DefaultEndpointsProtocol=https;AccountName={_of(stage).account};AccountKey={key}"
    metadata = {"name": "storage", "namespace": stage.team.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": names.STORAGE_SECRET_TYPE}
    stage.world.api.apply({**secret, "stringData": {names.STORAGE_SECRET_KEY: value}}).must()


def _spec(stage: Stage, **more: Any) -> Json:
    made = {"location": "westeurope", "tags": {"team": "shop"}, "redis": {"sku": {"name": "Premium", "capacity": 1}}}
    return provisioned(stage, provision=made, drift={"correct": ["Security", "Availability"]}, **more)


def _storage(stage: Stage, *, string: bool = False) -> Json:
    storage: Json = {"accountID": _of(stage).account_id}
    if string:
        storage |= {"authentication": "ConnectionString", "connectionStringSecretRef": {"name": "storage"}}
    return {"type": "RDB", "frequencyMinutes": 60, "storage": storage}


def _created(stage: Stage) -> Json:
    spec = _spec(stage, persistence=_storage(stage))
    return {**spec, "provision": {**spec["provision"], "identity": {"type": "SystemAssigned"}}}


def _change(stage: Stage, annotations: dict[str, str] | None = None, **spec: Any) -> None:
    stage.world.api.merge(stage.document, {"metadata": {"annotations": annotations or {}}, "spec": spec}).must()


def _ask_by_identity(stage: Stage) -> None:
    _change(stage, provision={"identity": {"type": "SystemAssigned"}}, persistence=_storage(stage))


def _ask_and_confirm(stage: Stage) -> None:
    confirmed = {names.CONFIRM_STORAGE_ROLE: _of(stage).account}
    _change(stage, confirmed, provision={"identity": {"type": "SystemAssigned"}}, persistence=_storage(stage))


def _switch_off(stage: Stage) -> None:
    asked = {names.ALLOW_DISRUPTION: "persistence.type"}
    _change(stage, asked, persistence={"type": "None", "storage": None, "frequencyMinutes": None})


def _persists(stage: Stage) -> bool:
    return stage.conditions().get("PersistenceEncrypted", ("", ""))[0] == "True" and ready(stage)


def _is_off(stage: Stage) -> bool:
    cache = stage.world.control.redis.get(stage.name) or {"properties": {}}
    settings: Json = cache["properties"].get("redisConfiguration") or {}
    return settings.get("rdb-backup-enabled") == "false" and ready(stage)


BY_ROLE = Scenario(
    "persist by identity",
    prepare=_by_role,
    spec=_spec,
    begin=converged,
    trigger=_ask_by_identity,
    done=_persists,
    made=Persisted,
)
BY_WORD = Scenario(
    "persist by identity, confirmed",
    prepare=_by_word,
    spec=_spec,
    begin=converged,
    trigger=_ask_and_confirm,
    done=_persists,
    made=Persisted,
)
BY_STRING = Scenario(
    "persist by connection string",
    prepare=_by_string,
    spec=_spec,
    begin=converged,
    trigger=lambda stage: _change(stage, persistence=_storage(stage, string=True)),
    done=_persists,
    made=Persisted,
)
CREATED = Scenario(
    "create with persistence", prepare=_to_be_made, spec=_created, trigger=apply, done=_persists, made=Persisted
)
OFF = Scenario(
    "persist no more",
    prepare=_persisting,
    spec=_created,
    begin=converged,
    trigger=_switch_off,
    done=_is_off,
    made=Persisted,
)
