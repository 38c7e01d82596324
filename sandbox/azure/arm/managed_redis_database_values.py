"""Validates and completes the values of a database: what a PUT omits returns to the service's default."""

import copy
from typing import Any

from sandbox.azure.access.call import Call
from sandbox.azure.arm import managed_redis_skus as skus
from sandbox.azure.arm import managed_redis_versions as versions
from sandbox.azure.arm.managed_redis_refusals import bad_request
from sandbox.azure.responses import Json
from sandbox.azure.state.managed_redis import PORT, ManagedState

_REDIS = "7.4"
_READ_ONLY = frozenset({"provisioningState", "resourceState", "redisVersion"})
_ENUMS = {
    "clientProtocol": ("Encrypted", "Plaintext"),
    "clusteringPolicy": ("OSSCluster", "EnterpriseCluster", "NoCluster"),
    "evictionPolicy": (
        "VolatileLRU", "AllKeysLRU", "AllKeysLFU", "AllKeysRandom", "VolatileLFU", "VolatileTTL", "VolatileRandom",
        "NoEviction",
    ),
    "accessKeysAuthentication": ("Disabled", "Enabled"),
    "deferUpgrade": ("NotDeferred", "Deferred"),
}  # fmt: skip
_MODULES = ("RediSearch", "RedisJSON", "RedisBloom", "RedisTimeSeries")
_FREQUENCIES = {"aof": ("1s",), "rdb": ("1h", "6h", "12h")}
_NO_GEO = ("Balanced_B0", "Balanced_B1")
_LINKS_GONE = "Linked databases cannot by removed with this API. Use the forceUnlink operation instead."


def planned(call: Call, cluster: ManagedState, given: Json, version: str) -> Json:
    """Return the database that a PUT asks for, without its states. Raises Refusal 400.

    Properties that are read-only, or that the API version does not have, are ignored; unknown ones are kept.
    """
    hidden = versions.hidden_of_database(version)
    sent = {
        name: copy.deepcopy(value)
        for name, value in given.items()
        if value is not None and name not in _READ_ONLY and name not in hidden
    }
    for name, values in _ENUMS.items():
        if name in sent:
            sent[name] = _spelled(call, name, values, sent[name])
    before = cluster.database or {}
    database: Json = {
        "clientProtocol": "Encrypted",
        "port": before.get("port", PORT),
        "clusteringPolicy": "OSSCluster",
        "evictionPolicy": "VolatileLRU",
        "deferUpgrade": "NotDeferred",
        "redisVersion": before.get("redisVersion", _REDIS),
        "accessKeysAuthentication": versions.keys_by_default(version),
        **sent,
    }
    if call.world.settings.managed_old_versions_keep_newer:
        database |= {name: before[name] for name in hidden if name in before}
    _check_persistence(call, database)
    _check_modules(call, cluster, database)
    _check_geo(call, cluster, database)
    if database["clusteringPolicy"] == "NoCluster" and not skus.small(str(cluster.sku["name"])):
        raise bad_request(call, f"The clustering policy NoCluster is not supported for SKU '{cluster.sku['name']}'.")
    port = database["port"]
    if not isinstance(port, int) or isinstance(port, bool) or not 1024 <= port <= 65535:
        raise _invalid(call, "port")
    return database


def _spelled(call: Call, name: str, values: tuple[str, ...], given: Any) -> str:
    spelled = next((one for one in values if one.lower() == str(given).lower()), None)
    if spelled is None:
        raise _invalid(call, name)
    return spelled


def _invalid(call: Call, name: str) -> Exception:
    return bad_request(call, f"The value of the parameter 'properties.{name}' is invalid.")


def _check_persistence(call: Call, database: Json) -> None:
    persistence = database.get("persistence")
    if persistence is None:
        return
    if not isinstance(persistence, dict):
        raise _invalid(call, "persistence")
    kinds = [kind for kind in _FREQUENCIES if persistence.get(f"{kind}Enabled") is True]
    if len(kinds) > 1:
        raise bad_request(call, "Only one of AOF and RDB persistence can be enabled.")
    for kind, frequencies in _FREQUENCIES.items():
        frequency = persistence.get(f"{kind}Frequency")
        if (kind in kinds or frequency is not None) and frequency not in frequencies:
            raise _invalid(call, f"persistence.{kind}Frequency")
    if kinds and database.get("geoReplication"):
        raise bad_request(call, "Persistence is not supported for databases with geo-replication.")
    if not persistence:
        database.pop("persistence")  # an empty object switches it off


def _check_modules(call: Call, cluster: ManagedState, database: Json) -> None:
    modules = database.get("modules")
    if not modules:
        database.pop("modules", None)
        return
    names = [str(one.get("name")) if isinstance(one, dict) else "" for one in modules]
    if not isinstance(modules, list) or any(name not in _MODULES for name in names):
        raise _invalid(call, "modules")
    if skus.flash(str(cluster.sku["name"])):
        raise bad_request(call, f"Modules are not supported for SKU '{cluster.sku['name']}'.")
    if "RediSearch" in names:
        if database["clusteringPolicy"] != "EnterpriseCluster":
            raise bad_request(call, "The module RediSearch requires the clustering policy EnterpriseCluster.")
        if database["evictionPolicy"] != "NoEviction":
            raise bad_request(call, "The module RediSearch requires the eviction policy NoEviction.")
    for one in modules:
        one.setdefault("args", "")
        one.setdefault("version", "1.0.0")


def _check_geo(call: Call, cluster: ManagedState, database: Json) -> None:
    geo = database.get("geoReplication")
    if not geo:
        database.pop("geoReplication", None)
        return
    sku = str(cluster.sku["name"])
    if sku in _NO_GEO or skus.flash(sku):
        raise bad_request(call, f"Geo-replication is not supported for SKU '{sku}'.")
    for one in geo.get("linkedDatabases") or ():
        one.setdefault("state", "Linked")


def check_change(call: Call, cluster: ManagedState, after: Json, given: Json) -> None:
    """Raise Refusal 400 for a change that needs a new database, and for one that an active geo-replication forbids."""
    before = cluster.database or {}
    if _links(before) and not _links(given):
        raise bad_request(call, _LINKS_GONE)
    changed = [
        name
        for name, old, new in (
            ("clusteringPolicy", before.get("clusteringPolicy"), after["clusteringPolicy"]),
            ("port", before.get("port"), after["port"]),
            ("modules", _module_names(before), _module_names(after)),
            ("geoReplication", _geo(before), _geo(after)),
        )
        if old != new and not (name == "clusteringPolicy" and old == "NoCluster")
    ]
    if changed:
        listed = ",".join(f"properties.{name}" for name in changed)
        raise bad_request(call, f"The following properties cannot be changed after creation: '{listed}'.")
    if _links(before) and before.get("accessKeysAuthentication") != after["accessKeysAuthentication"]:
        raise bad_request(
            call, "The property 'accessKeysAuthentication' cannot be changed while databases are linked. Unlink first."
        )


def _module_names(database: Json) -> list[tuple[str, str]]:
    return sorted((str(one["name"]), str(one.get("args") or "")) for one in database.get("modules") or ())


def _links(database: Json) -> list[str]:
    linked = (database.get("geoReplication") or {}).get("linkedDatabases") or ()
    return sorted(str(one.get("id", "")).lower() for one in linked)


def _geo(database: Json) -> tuple[str, list[str]]:
    return str((database.get("geoReplication") or {}).get("groupNickname") or ""), _links(database)
