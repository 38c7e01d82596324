"""Builds the world of one reconcile pass, and runs its pure steps.

The resource has no authentication, and the cache has no owner and no tags. Each difference from
`tests.builders.world` is written as a change of it.
"""

from dataclasses import replace
from typing import Any

from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment, assess
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ
from secure_redis.domain.plan.outcomes import Done
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Plan, Settings
from secure_redis.domain.report.report import Report, report, with_own_writes
from tests.builders import world
from tests.builders.world import CLUSTER, PRIMARY, UID

PROVISION = {"location": "westeurope", "redis": {"sku": {"name": "Premium", "capacity": 1}}}
SETTINGS = Settings(cluster_uid=CLUSTER)
OWNER = {names.OWNER_TAG: f"{CLUSTER}.{UID}"}


def resource(
    spec: dict[str, Any] | None = None,
    *,
    annotations: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    finalizer: bool | None = None,
    deleting: bool = False,
    uid: str = UID,
) -> SecureRedisCache:
    """Return a resource as the API server delivers it. `finalizer` None: as the operator sets it for these policies."""
    given = spec or {}
    deletes_cache = given.get("mode") == "Provision" and given.get("deletionPolicy") == "Delete"
    if finalizer is None:
        finalizer = deleting or deletes_cache or given.get("connection", {}).get("deletionPolicy") == "Delete"
    meta: dict[str, Any] = {
        "uid": uid,
        "generation": 1,
        "resourceVersion": "7",
        "annotations": annotations or {},
        "finalizers": [names.FINALIZER] if finalizer else [],
    }
    if deleting:
        meta["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    return world.parsed(spec, status, **meta)


def cache(**changes: Any) -> Redis:
    """Return a safe cache with a private endpoint and without tags, so that no resource owns it."""
    return world.cache(**{"tags": {}, "zones": (), **changes})


def vault(value: str = PRIMARY, **changes: Any) -> VaultSecretFacts:
    """Return a vault secret with the primary key and without dates."""
    return world.vault(**{"value": SecretStr(value), "expires": None, "created": None, **changes})


def observation(**changes: Any) -> Observation:
    """Return an observation in which identity, cache, keys and vault were read, and no Secret exists yet."""
    safe = world.observation(cache=cache(), cache_fresh=True, firewall_rules=NOT_READ, vault=vault(), secret=None)
    return replace(safe, **changes)


def judged(res: SecureRedisCache, obs: Observation) -> Assessment:
    """Assess as the reconciler does."""
    return assess(res, obs, cluster_uid=CLUSTER, ca=None)


def planned(res: SecureRedisCache, obs: Observation, settings: Settings = SETTINGS) -> Plan:
    """Assess and plan."""
    return plan(res, obs, judged(res, obs), settings)


def reported(res: SecureRedisCache, obs: Observation, outcomes: Any = None) -> Report:
    """Run the pure steps of a pass. By default every planned action succeeded."""
    todo = planned(res, obs)
    done = tuple(Done(action) for action in todo.actions) if outcomes is None else outcomes
    obs = with_own_writes(res, obs, done)
    return report(res, obs, judged(res, obs), todo, done)


def published(res: SecureRedisCache, obs: Observation, **changes: Any) -> SecretFacts:
    """Return the Secret exactly as the resource publishes it."""
    data = judged(res, obs).credential.data
    assert data is not None
    own = {"name": res.secret_name, "resource_version": "9", "owner_uid": res.uid, "owner_name": res.key.name}
    return world.published(data, **{**own, **changes})


def tampered(secret: SecretFacts) -> SecretFacts:
    """Return the same Secret with another password."""
    return replace(secret, data={**secret.data, "password": SecretBytes(b"tampered")})
