"""Every field of the spec is read by the code that decides: a field that does nothing is a defect."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import secure_redis
from secure_redis.api import names
from secure_redis.api.spec import persistence, spec
from secure_redis.api.spec.spec import Spec
from secure_redis.domain.assess.persistence import secret_name
from secure_redis.domain.assess.rules import evaluate
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.grants import GrantPolicy, resolve_identity
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.rollout.waves import roll
from tests.builders import rotations
from tests.builders.complete import complete
from tests.builders.managed_redis import MANAGED_ID, managed
from tests.builders.passes import OWNER, planned, reported, resource
from tests.builders.storage import ACCOUNT, BY_IDENTITY, key, own_key, storage
from tests.builders.workloads import V1, V2, consumer, injected, pods, workload
from tests.builders.world import AUTHENTICATION, NOW, cache

WINDOW = {"schedule": "0 2 * * *", "durationMinutes": 60, "timeZone": "Europe/Berlin"}
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"
KEY = "https://shop.vault.azure.net/keys/disk"
PERSISTENCE = {
    "type": "RDB",
    "frequencyMinutes": 60,
    "storage": {"accountID": ACCOUNT, "authentication": "ManagedIdentity"},
    "encryption": {"keySource": "CustomerManaged", "keyURL": KEY, "infrastructureEncryption": "Required"},
}
PROVISION: dict[str, Any] = {
    "location": "westeurope",
    "tags": {"team": "orders"},
    "identity": {"type": "UserAssigned", "userAssignedIDs": [IDENTITY]},
    "redis": {
        "sku": {"name": "Premium", "capacity": 1},
        "redisVersion": "6",
        "zones": ["1"],
        "replicas": 1,
        "shards": 0,
    },
}
WORKLOADS: list[dict[str, Any]] = [
    {
        "id": "a",
        "kind": "Deployment",
        "name": "checkout",
        "env": [{"name": "REDIS", "key": "uri"}],
        "containers": ["app"],
    },
    {
        "id": "b",
        "kind": "Deployment",
        "mountPath": "/etc/redis",
        "initContainers": ["migrate"],
        "restart": "None",
        "reloadsFiles": True,
        "selector": {
            "matchLabels": {"team": "shop"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}],
        },
    },
]
FULL: dict[str, Any] = {
    "mode": "Provision",
    "profile": "Strict",
    "identity": {"serviceAccountName": "orders"},
    "provision": PROVISION,
    "network": {
        "publicAccess": "Disabled",
        "firewallRules": [{"name": "a", "startIP": "10.0.0.1", "endIP": "10.0.0.2"}],
    },
    "persistence": PERSISTENCE,
    "authentication": AUTHENTICATION,
    "connection": {
        "secretName": "redis",
        "keys": {"REDIS_PASSWORD": "password"},
        "labels": {"a": "b"},
        "annotations": {"a": "b"},
    },
    "workloads": WORKLOADS,
    "drift": {"correct": ["Security"], "ignore": ["provision.tags"]},
    "waivers": [{"rule": "L1", "reason": "a test", "owner": "team", "expires": "2027-01-01"}],
}


@contextmanager
def reading() -> Iterator[set[tuple[str, str]]]:
    """Record which fields of the spec's models are read, by class and name."""
    read: set[tuple[str, str]] = set()

    def recorded(self: BaseModel, name: str) -> Any:
        if name in type(self).__pydantic_fields__:
            read.add((type(self).__name__, name))
        return BaseModel.__getattribute__(self, name)

    with pytest.MonkeyPatch.context() as patched:
        for base in (spec._Part, persistence._Part):
            patched.setattr(base, "__getattribute__", recorded, raising=False)
        yield read


def models(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Find every model below one."""
    yield of
    for field in of.model_fields.values():
        yield from (deeper for one in _within(field.annotation) for deeper in models(one))


def _within(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _within(part)


# A pinned version is an argument of the read itself, which only the reader of the vault makes.
READ_FROM_KEY_VAULT = {("KeyVault", "version"): ("reconciler/observe/credential.py", "settings.key_vault.version")}
OPERATOR = Path(secure_redis.__file__).parent
FIELDS = {(model.__name__, name) for model in models(Spec) for name in model.model_fields}


def test_every_field_is_read() -> None:
    with reading() as read:
        decide()
    unread = sorted(f"{model}.{name}" for model, name in FIELDS - read - READ_FROM_KEY_VAULT.keys())
    assert unread == []
    for file, text in READ_FROM_KEY_VAULT.values():
        assert text in (OPERATOR / file).read_text()


def decide() -> None:
    """Run the passes in which each part of the spec matters."""
    there = cache(tags=OWNER, persistence=BY_IDENTITY, identity_type="UserAssigned", user_assigned_ids=(IDENTITY,))
    encrypted = {"storage": storage(encryption=own_key()), "encryption_key": key()}
    seen = complete(cache=there, cache_fresh=True, workloads=(workload(), workload("cart")), **encrypted)
    reported(resource(FULL), seen)
    reported(resource(FULL), complete(cache=CacheAbsent(confirmed=True, message="404"), cache_fresh=True), ())
    intended = {"pending": {"action": "CreateCache", "recordedAt": "2026-11-24T11:00:00Z", "detail": "orders"}}
    reported(resource(FULL, status=intended), complete(cache=CacheAbsent(confirmed=True, message="404")), ())
    reported(resource(FULL, deleting=True), seen, ())
    resolve_identity(resource(FULL), None, GrantPolicy())
    rotating = rotations.world(rotation_spec={"intervalDays": 30, "windows": [WINDOW]})
    for _ in range(12):
        rotations.step(rotating)
        rotating.pass_time(3 * 86400)
    rotations.step(rotations.asked(other_consumers="Possible"))
    later = rotations.asked(other_consumers="Possible")
    later.approve()
    later.looks(until=lambda one: one.phase == "Completed")
    later.ask("again")
    rotations.step(later)
    rotations.step(later)
    string = {"authentication": "ConnectionString", "connectionStringSecretRef": {"name": "s"}, "accountID": ACCOUNT}
    by_string = {**PERSISTENCE, "storage": string}
    reported(resource({**FULL, "persistence": by_string}), seen, ())
    secret_name(resource({**FULL, "persistence": by_string}))
    labelled = workload(labels={names.INJECT: "true", "team": "shop", "tier": "web"})
    for entry in WORKLOADS:
        of = consumer({**entry, "containers": [], "initContainers": []})
        roll(of, Observation(now=NOW, workloads=(labelled,)), V1)
        old = {("Deployment", labelled.name): pods(V1)}
        roll(of, Observation(now=NOW, workloads=(injected(of, labelled),), pods=old, budgets=()), V2)
    managed_redis()
    evaluate(resource(FULL), seen, waiver_policy=WaiverPolicy(waivable=(Waivable(("*",), ("*",), 90),)))


def managed_redis() -> None:
    """Run the passes in which the parts of the spec that only a cluster has matter."""
    url = "https://shop.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef"
    provision = {
        "location": "westeurope",
        "managedRedis": {
            "sku": "Balanced_B5",
            "clusteringPolicy": "EnterpriseCluster",
            "evictionPolicy": "NoEviction",
            "modules": ["RediSearch"],
            "maintenanceWindows": [{"day": "Monday", "startHourUTC": 1, "durationHours": 18}],
        },
    }
    encryption = {"keySource": "CustomerManaged", "keyURL": url, "identityID": IDENTITY}
    of = {
        "resourceID": MANAGED_ID,
        "mode": "Provision",
        "provision": provision,
        "persistence": {"type": "RDB", "encryption": encryption},
    }
    pending = {"pending": {"action": "CreateCache", "recordedAt": "2026-11-24T11:00:00Z", "detail": "orders"}}
    for found in (
        CacheAbsent(confirmed=True, message="404"),
        managed(tags={**OWNER, names.CREATION_TAG: names.CREATION_INCOMPLETE}, database=None),
        managed(tags=OWNER, maintenance_windows=()),
    ):
        planned(resource(of, status=pending), complete(cache=found, cache_fresh=True))
