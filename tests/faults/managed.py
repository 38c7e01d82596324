"""The operator's work with a Managed Redis, as scenarios.

Where only the service differs they are those of Microsoft.Cache/redis. The others have settings of their own: a cluster
and its database, persistence to disks of the cluster, and a key of the customer's own for them.
"""

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import VaultKey
from sandbox.services import MANAGED
from sandbox.world import TENANT
from secure_redis.api import names
from tests.faults import consumers, scenarios
from tests.faults.scenarios import Json, Scenario, Stage, annotate, apply, confirmed, converged, delete, owned, ready

_VERSION = "0123456789abcdef0123456789abcdef"
_KEYS = "Microsoft.KeyVault/vaults/keys"
_SNAPSHOTS: Json = {"type": "RDB", "frequencyMinutes": 60}


def on_managed(scenario: Scenario) -> Scenario:
    """The same scenario with a Managed Redis."""
    return replace(scenario, name=f"{scenario.name} (Managed Redis)", service=MANAGED)


@dataclass(frozen=True)
class Encrypted(Stage):
    """A stage with a key for the disks. After a failed creation an administrator lets the identity use it."""

    principal: str = field(default_factory=lambda: str(uuid.uuid4()))  # of the identity that reads the key
    granted: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """The ARM id of the identity that reads the key."""
        return f"{self.team.group_scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{self.name}"

    @property
    def declared(self) -> Json:
        """The part of the spec that names the key."""
        key = f"{self.world.control.endpoints.vault_url(self.team.name).rstrip('/')}/keys/disk/{_VERSION}"
        return {"keySource": "CustomerManaged", "keyURL": key, "identityID": self.identity}

    @property
    def encrypts(self) -> bool:
        """Whether the cluster's disks are under the declared key."""
        return bool(self._key().get("keyEncryptionKeyUrl") == self.declared["keyURL"])

    def create(self, *, granted: bool) -> None:
        """The key and the identity, which may (`granted`) use it."""
        self.world.control.seed(
            VaultKey(vault=self.team.name, name="disk", version=_VERSION),
            seeds.App(tenant=TENANT, client_id=str(uuid.uuid4()), object_id=self.principal, resource_id=self.identity),
        )
        if granted:
            self._grant()

    def others(self) -> None:
        """Grant the role as soon as the creation has failed without it, and then ask for another attempt."""
        cluster, stalled = self.control.get(self.name), self.conditions().get("Stalled", ("",))[0] == "True"
        failed = cluster is not None and cluster["properties"]["resourceState"] == "CreateFailed"
        if not self.granted and (failed or stalled):  # its rest may be removed already
            self._grant()
        if cluster is None and self.granted and stalled:
            handled = (self.world.get(self.document) or {}).get("status", {}).get("lastHandled", {}).get("refresh")
            if not self.asked or handled == self.asked[-1]:
                self.asked.append(uuid.uuid4().hex)
                annotate(self, refresh=self.asked[-1])

    def end(self) -> Json:
        """With the key of the disks, and the cluster's identities."""
        cluster = self.control.get(self.name) or {}
        identity = cluster.get("identity") or {}
        assigned = [one.replace(self.name, "NAME") for one in identity.get("userAssignedIdentities") or {}]
        reads = str((self._key().get("keyEncryptionKeyIdentity") or {}).get("userAssignedIdentityResourceId"))
        return {
            **super().end(),
            "encrypts": self.encrypts,
            "reads the key": reads == self.identity,
            "identity": (identity.get("type"), [one.replace(self.team.name, "TEAM") for one in assigned]),
        }

    def _key(self) -> Json:
        properties: Json = (self.control.get(self.name) or {"properties": {}})["properties"]
        return dict((properties.get("encryption") or {}).get("customerManagedKeyEncryption") or {})

    def _grant(self) -> None:
        actions = (f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action")
        role = seeds.RoleAssignment(object_id=self.principal, scope=self.team.vault_scope, data_actions=actions)
        self.world.control.seed(role)
        self.granted.append(self.principal)


# --- what is set up, begun and recognised -----------------------------------------------------------------------------


def _of(stage: Stage) -> Encrypted:
    assert isinstance(stage, Encrypted)
    return stage


def _spec(stage: Stage, **more: Any) -> Json:
    size = {"sku": "Balanced_B5", "clusteringPolicy": "NoCluster", "evictionPolicy": "VolatileLRU"}
    return {
        "mode": "Provision",
        "provision": {"location": "westeurope", "tags": {"team": "shop"}, "managedRedis": size},
        "network": {"publicAccess": "Enabled"},
        "drift": {"correct": ["Security", "Availability"]},
        **scenarios.read_write(stage),
        **more,
    }


def _database(stage: Stage) -> Json:
    found: Json = (stage.world.control.managed_redis.database(stage.name) or {"properties": {}})["properties"]
    return found


def _change(stage: Stage, annotations: dict[str, str] | None = None, **spec: Any) -> None:
    stage.world.api.merge(stage.document, {"metadata": {"annotations": annotations or {}}, "spec": spec}).must()


def _nothing(stage: Stage) -> None:
    """Nothing is there yet."""


def _behind_our_back(stage: Stage) -> None:
    database = {"clientProtocol": "Plaintext", "evictionPolicy": "NoEviction"}
    stage.world.control.managed_redis.update(stage.name, {"minimumTlsVersion": "1.0"}, database=database)
    annotate(stage, refresh=uuid.uuid4().hex)


def _corrected(stage: Stage) -> bool:
    properties: Json = (stage.control.get(stage.name) or {"properties": {}})["properties"]
    database = _database(stage)
    settings = (properties.get("minimumTlsVersion"), database.get("clientProtocol"), database.get("evictionPolicy"))
    # The operator observes the endpoint's protocol a moment after Azure's report.
    secured = (stage.world.condition(stage.document, "TransportSecured") or ("",))[0] == "True"
    return settings == ("1.2", "Encrypted", "VolatileLRU") and secured and ready(stage)


def _persists(stage: Stage) -> bool:
    persistence = _database(stage).get("persistence") or {}
    encrypted = stage.conditions().get("PersistenceEncrypted", ("",))[0] == "True"
    return bool(persistence.get("rdbEnabled")) and encrypted and ready(stage)


def _persisting(stage: Stage) -> None:
    settings = {"rdbEnabled": True, "rdbFrequency": "1h", "aofEnabled": False}
    owned(stage, database={"persistence": settings})


def _switch_off(stage: Stage) -> None:
    _change(stage, {names.ALLOW_DISRUPTION: "persistence.type"}, persistence={"type": "None", "frequencyMinutes": None})


def _is_off(stage: Stage) -> bool:
    return (_database(stage).get("persistence") or {}).get("rdbEnabled") is False and ready(stage)


def _to_be_encrypted(stage: Stage) -> None:
    _of(stage).create(granted=True)
    _persisting(stage)


def _encrypt(stage: Stage) -> None:
    allowed = {names.ALLOW_DISRUPTION: "persistence.encryption.keySource"}
    _change(stage, allowed, persistence={**_SNAPSHOTS, "encryption": _of(stage).declared})


def _encrypted(stage: Stage) -> bool:
    return _of(stage).encrypts and _persists(stage)


def _created(stage: Stage) -> Json:
    spec = _spec(stage, persistence={**_SNAPSHOTS, "encryption": _of(stage).declared})
    identity = {"type": "UserAssigned", "userAssignedIDs": [_of(stage).identity]}
    return {**spec, "provision": {**spec["provision"], "identity": identity}}


PROVISION = Scenario(
    "provision (Managed Redis)", prepare=_nothing, spec=_spec, trigger=apply, done=ready, service=MANAGED
)
CORRECT = Scenario(
    "correct (Managed Redis)",
    prepare=owned,
    spec=_spec,
    begin=converged,
    trigger=_behind_our_back,
    done=_corrected,
    service=MANAGED,
)
PERSIST = Scenario(
    "persist (Managed Redis)",
    prepare=owned,
    spec=_spec,
    begin=converged,
    trigger=lambda stage: _change(stage, persistence=_SNAPSHOTS),
    done=_persists,
    service=MANAGED,
)
PERSIST_NO_MORE = Scenario(
    "persist no more (Managed Redis)",
    prepare=_persisting,
    spec=lambda stage: _spec(stage, persistence=_SNAPSHOTS),
    begin=converged,
    trigger=_switch_off,
    done=_is_off,
    service=MANAGED,
)
ENCRYPT = Scenario(
    "encrypt by a key of one's own (Managed Redis)",
    prepare=_to_be_encrypted,
    spec=lambda stage: _spec(stage, persistence=_SNAPSHOTS),
    begin=converged,
    trigger=_encrypt,
    done=_encrypted,
    made=Encrypted,
    service=MANAGED,
)
CREATED = Scenario(
    "create with a key of one's own (Managed Redis)",
    prepare=lambda stage: _of(stage).create(granted=True),
    spec=_created,
    trigger=apply,
    done=_encrypted,
    made=Encrypted,
    service=MANAGED,
)
CREATED_AGAIN = Scenario(
    "create after a failure (Managed Redis)",
    prepare=lambda stage: _of(stage).create(granted=False),
    spec=_created,
    trigger=apply,
    done=_encrypted,
    made=Encrypted,
    service=MANAGED,
)
DELETE = Scenario(
    "delete (Managed Redis)",
    prepare=owned,
    spec=lambda stage: _spec(stage, deletionPolicy="Delete"),
    begin=confirmed,
    trigger=delete,
    done=lambda stage: stage.world.get(stage.document) is None,
    service=MANAGED,
)
SCENARIOS = (
    PROVISION,
    CORRECT,
    on_managed(scenarios.PUBLISH),
    PERSIST,
    PERSIST_NO_MORE,
    ENCRYPT,
    CREATED,
    CREATED_AGAIN,
    DELETE,
    on_managed(scenarios.DELETE_SECRET),
)
ROTATIONS = tuple(on_managed(one) for one in (consumers.LED, consumers.FOLLOW, consumers.EMERGENCY))
