"""Composes the page of what each correction causes, from the code that predicts it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.domain.assess.disruption import SENTENCES, Effect, effect, of_scaling
from secure_redis.domain.assess.services import SERVICES
from secure_redis.domain.observe.cache import Cache, PrivateEndpoint
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.tier import Scaling

_NAMES: Final[Mapping[Service, str]] = {
    Service.REDIS: "Azure Cache for Redis",
    Service.MANAGED_REDIS: "Azure Managed Redis",
}
_ID: Final = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.Cache"
_OPEN: Final = (PrivateEndpoint("pe", "Approved"),)
_REDIS: Final = Redis(
    resource_id=CacheID.parse(f"{_ID}/redis/c"),
    location="westeurope",
    sku_name="Premium",
    sku_family="P",
    sku_capacity=1,
    provisioning_state="Succeeded",
    persistence=PersistenceFacts(rdb=True),
)
_MANAGED: Final = ManagedRedis(
    resource_id=CacheID.parse(f"{_ID}/redisEnterprise/c"),
    location="westeurope",
    sku_name="Balanced_B5",
    provisioning_state="Succeeded",
)
_CACHES: Final[Mapping[Service, Cache]] = {Service.REDIS: _REDIS, Service.MANAGED_REDIS: _MANAGED}
# Words for a case, declared value, observed value.
_ANY: Final = (("", "declared", "observed"),)
_SWITCH: Final = (("to Disabled", "Disabled", "Enabled"), ("to Enabled", "Enabled", "Disabled"))
_CASES: Final[Mapping[str, Sequence[tuple[str, str, str]]]] = {
    "network.firewallRules": (("added", "a", "missing"), ("changed or removed", "none", "a")),
    "persistence.type": (("on, or to another type", "RDB", "None"), ("to None", "None", "RDB")),
    "authentication.accessKeys": (("to Enabled", "Enabled", "Disabled"),),
    "provision.redis.shards": (("more", "3", "2"), ("fewer", "2", "3"), ("to 0", "0", "2")),
    "provision.redis.redisVersion": (("newer", "6", "4"), ("older", "4", "6")),
    "provision.identity.type": (
        ("added", "SystemAssigned", "None"),
        ("removed, from a cache that persists", "None", "SystemAssigned"),
    ),
    "provision.identity.userAssignedIDs": (
        ("added", "/a", "none"),
        ("removed, from a cache that persists", "none", "/a"),
    ),
    "provision.managedRedis.highAvailability": _SWITCH,
    "provision.managedRedis.clusteringPolicy": (
        ("from NoCluster", "OSSCluster", "NoCluster"),
        ("from another one", "NoCluster", "OSSCluster"),
    ),
}


def page(head: list[str]) -> str:
    """Return the page: one table per service, one row per field and case."""
    lines = [
        *head,
        "Read this page before you allow a class in `spec.drift.correct`, or consent to one correction.",
        "",
        "`status.drift[].effect` reports the effect of each difference. A correction on request waits for the",
        "annotation `secureredis.io/allow-disruption: <field>`. [Provisioning](provisioning.md) has the classes.",
        "",
        "| effect | meaning | on request |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{one}` | {SENTENCES[one]} | {_asks(one)} |" for one in Effect]
    for service, name in _NAMES.items():
        lines += ["", f"## {name}", "", "| field | change | effect | on request |", "| --- | --- | --- | --- |"]
        lines += _rows(service)
    return "\n".join(lines) + "\n"


def _asks(found: Effect) -> str:
    if found is Effect.NEEDS_REPLACEMENT:
        return "never corrected"
    return "yes" if found.needs_request else ""


def _rows(service: Service) -> Iterable[str]:
    for path in SERVICES[service].COMPARED:
        for case, found in _effects(service, path):
            yield f"| `{path}` | {case} | `{found}` | {_asks(found)} |"


def _effects(service: Service, path: str) -> Iterable[tuple[str, Effect]]:
    """Find the effects that a change of the field can have, each with the case in which it has it."""
    if path in {"provision.redis.sku.name", "provision.redis.sku.capacity"}:
        cases = {
            "larger": Scaling.RESTARTS,
            "smaller, or from Basic": Scaling.LOSES_DATA,
            "to a lower tier": Scaling.REFUSED,
        }
        yield from ((case, of_scaling(scaling)) for case, scaling in cases.items())
    elif path == "provision.managedRedis.sku":
        for case, redundancy in (("with high availability", "LR"), ("without", "None")):
            yield case, effect(path, "a", "b", replace(_MANAGED, redundancy=redundancy))
    elif path == "network.publicAccess":
        yield "to Enabled", effect(path, "Enabled", "Disabled", _CACHES[service])
        yield (
            "to Disabled, with an approved private endpoint",
            effect(path, "Disabled", "Enabled", replace(_CACHES[service], private_endpoints=_OPEN)),
        )
        yield "to Disabled, without", effect(path, "Disabled", "Enabled", _CACHES[service])
    else:
        for case, declared, observed in _CASES.get(path, _ANY):
            yield case, effect(path, declared, observed, _CACHES[service])
