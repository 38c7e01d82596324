"""The kept form of a resource at rest is equal to the resource, and shares its parts with others."""

from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.domain.plan.brakes import Brake
from secure_redis.domain.steady_state import SteadyState
from secure_redis.kube.resource_bodies import LARGEST
from secure_redis.reconciler.pass_state import lean
from tests.builders.passes import PROVISION, observation
from tests.builders.world import AUTHENTICATION, CACHE_ID, NOW


def resource(name: str, **spec: Any) -> SecureRedisCache:
    found = parse(
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "7", "generation": 1},
            "spec": {"resourceID": f"{CACHE_ID}-{name}", "authentication": AUTHENTICATION, **spec},
            "status": {
                "binding": {"name": name},
                "lastHandled": {"refresh": "1"},
                "effective": {"mode": "Validate", "profile": "Baseline", "intervalSeconds": 300},
            },
        }
    )
    assert isinstance(found, SecureRedisCache), found
    return found


def kept(given: SecureRedisCache) -> SecureRedisCache:
    steady = lean(SteadyState(given, observation(), Brake(), 300.0, NOW))
    assert steady is not None
    return steady.resource


def test_it_is_equal_to_what_was_parsed() -> None:
    for spec in ({}, {"mode": "Provision", "provision": PROVISION}, {"network": {"publicAccess": "Enabled"}}):
        given = resource("orders", **spec)
        assert kept(given) == given
        assert kept(given).spec.model_dump() == given.spec.model_dump()
        assert kept(given).status.model_dump() == given.status.model_dump()


def test_its_parts_are_shared() -> None:
    one, other = kept(resource("orders")), kept(resource("baskets"))
    assert one.spec.resource_id != other.spec.resource_id
    assert one.status.binding != other.status.binding
    assert one.spec.transport is other.spec.transport
    assert one.spec.network is other.spec.network
    assert one.status.effective is other.status.effective
    assert one.status.last_handled is other.status.last_handled


def test_a_large_spec_is_not_kept() -> None:
    large = resource("orders", connection={"annotations": {"example.com/a": "x" * LARGEST}})
    assert lean(SteadyState(large, observation(), Brake(), 300.0, NOW)) is None
