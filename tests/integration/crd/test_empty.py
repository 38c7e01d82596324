"""Server-side apply of every map and list of the spec: an empty one is accepted, and is the same as none.

The result for an empty one must not depend on what was applied before it.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import APPLY, Api, Document, path_of
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.api.spec.spec import Spec
from tests.integration.crd.test_structure import SCHEMA, walk

CACHE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
)
IDENTITY_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/redis"
)
VAULT = {"uri": "https://shop.vault.azure.net", "secretName": "orders"}
WORKLOAD: Document = {"id": "web", "kind": "Deployment", "selector": {}}
EXPRESSION: Document = {"key": "tier", "operator": "Exists"}
REDIS: Document = {"sku": {"name": "Premium", "capacity": 1}}


def full() -> Document:
    """A spec in which every map and list can be filled."""
    return {
        "resourceID": CACHE_ID,
        "mode": "Provision",
        "provision": {"location": "westeurope", "redis": copy.deepcopy(REDIS), "identity": {"type": "None"}},
        "authentication": {"keyVault": {**VAULT, "access": "ReadWrite"}, "rotation": {"otherConsumers": "None"}},
        "workloads": [copy.deepcopy(WORKLOAD)],
        "network": {"publicAccess": "Enabled"},
        "connection": {"database": 1},
        "drift": {"intervalSeconds": 600},
    }


# For each map and list, by its path in the schema: what is in it. `selector` and `identity` are maps as a whole.
FILLED: dict[str, Any] = {
    ".identity": {"serviceAccountName": "redis"},
    ".provision.tags": {"team": "shop"},
    ".provision.identity.userAssignedIDs": [IDENTITY_ID],
    ".provision.redis.zones": ["1"],
    ".provision.redis.maintenanceWindows": [{"day": "Sunday", "startHourUTC": 1, "durationHours": 6}],
    ".provision.managedRedis.modules": ["RedisJSON"],
    ".provision.managedRedis.maintenanceWindows": [
        {"day": "Saturday", "startHourUTC": 1, "durationHours": 9},
        {"day": "Sunday", "startHourUTC": 1, "durationHours": 9},
    ],
    ".network.firewallRules": [{"name": "office", "startIP": "203.0.113.1", "endIP": "203.0.113.9"}],
    ".authentication.rotation.windows": [{"schedule": "0 3 * * *", "durationMinutes": 60}],
    ".drift.windows": [{"schedule": "0 3 * * *", "durationMinutes": 60}],
    ".connection.formats": ["Celery"],
    ".connection.template": {"REDIS_ADDRESS": "{host}:{port}"},
    ".connection.keys": {"REDIS_PASSWORD": "password"},
    ".connection.labels": {"team": "shop"},
    ".connection.annotations": {"team": "shop"},
    ".workloads": [WORKLOAD],
    ".workloads[].selector": {"matchLabels": {"tier": "shop"}},
    ".workloads[].selector.matchLabels": {"tier": "shop"},
    ".workloads[].selector.matchExpressions": [EXPRESSION],
    ".workloads[].selector.matchExpressions[].values": ["shop"],
    ".workloads[].containers": ["app"],
    ".workloads[].initContainers": ["migrate"],
    ".workloads[].env": [{"name": "REDIS_URL", "key": "uri"}],
    ".drift.correct": ["Security"],
    ".drift.ignore": ["provision.tags"],
    ".waivers": [{"rule": "N1", "reason": "a reason that is long enough", "owner": "team", "expires": "2099-01-01"}],
}
_NO_EMPTY = {
    # The type or the operator decides whether there has to be one: an empty one is refused as a missing one is.
    ".provision.identity.userAssignedIDs",
    ".workloads[].selector.matchExpressions[].values",
}


def collections() -> Iterator[str]:
    for path, node in walk(SCHEMA["properties"]["spec"], ""):
        if node.get("type") == "array" or "additionalProperties" in node or node.get("x-kubernetes-map-type"):
            yield path


def test_every_map_and_list_of_the_spec_is_tried() -> None:
    assert sorted(collections()) == sorted(FILLED)


def at(spec: Document, path: str) -> tuple[Document, str]:
    """The object that has this member, and the member's name."""
    *parents, name = path.removeprefix(".").split(".")
    for parent in parents:
        key = parent.removesuffix("[]")
        spec = spec[key][0] if parent.endswith("[]") else spec.setdefault(key, {})
    return spec, name


def full_managed() -> Document:
    """The same of a Managed Redis."""
    spec = full()
    spec["resourceID"] = CACHE_ID.replace("/redis/", "/redisEnterprise/")
    spec["connection"] = {"database": 0}
    managed = {"sku": "Balanced_B5", "clusteringPolicy": "NoCluster"}
    spec["provision"] = {"location": "westeurope", "managedRedis": managed, "identity": {"type": "None"}}
    return spec


def document(name: str, path: str, change: Callable[[Document, str], object]) -> Document:
    spec = full_managed() if ".managedRedis." in path else full()
    if path.endswith("userAssignedIDs"):
        spec["provision"]["identity"]["type"] = "UserAssigned"
    if path.endswith("values"):
        spec["workloads"][0]["selector"] = {"matchExpressions": [{"key": "tier", "operator": "In"}]}
    holder, member = at(spec, path)
    change(holder, member)
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "secureredis.io/v1alpha1", "kind": "SecureRedisCache", "metadata": metadata, "spec": spec}


def applied(api: Api, body: Document) -> Spec:
    """Apply it as one field manager, without force, and read what is stored."""
    query = {"fieldManager": "helm", "fieldValidation": "Strict"}
    answer = api.call("PATCH", path_of(body), body, kind=APPLY, query=query)
    assert answer.ok, answer.message
    stored = parse(api.get(path_of(body)).must())
    assert isinstance(stored, SecureRedisCache)
    return stored.spec


@pytest.mark.parametrize("path", sorted(set(FILLED) - _NO_EMPTY))
def test_an_empty_one_is_accepted_and_is_the_same_as_none(api: Api, path: str) -> None:
    kind = type(FILLED[path])
    name = f"empty-{''.join(one if one.isalnum() else '-' for one in path.lower()).strip('-')}"

    def put(value: Any) -> Spec:
        return applied(api, document(name, path, lambda holder, member: holder.update({member: value})))

    def leave_out() -> Spec:
        def change(holder: Document, member: str) -> None:
            holder.pop(member, None)
            if member == "selector":  # exactly one of name and selector: all is as near to none as it gets
                holder["selector"] = {}

        return applied(api, document(name, path, change))

    try:
        filled = put(FILLED[path])
        after_filled, again = put(kind()), put(kind())
        absent = leave_out()
        assert put(FILLED[path]) == filled != after_filled
        absent_after_filled = leave_out()
        after_absent = put(kind())
        assert after_filled == again == absent == absent_after_filled == after_absent
    finally:
        api.delete(document(name, path, lambda holder, member: None))


@pytest.mark.parametrize("path", sorted(_NO_EMPTY))
def test_one_that_has_to_be_there_is_refused_whether_it_is_empty_or_missing(api: Api, path: str) -> None:
    for change in (
        lambda holder, member: holder.update({member: []}),
        lambda holder, member: holder.pop(member, None),
    ):
        answer = api.create(document("refused", path, change), dry_run=True)
        assert answer.status == 422, answer.message
