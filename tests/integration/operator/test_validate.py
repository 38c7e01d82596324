"""From `kubectl apply` to a Secret, on an existing cache: the main job."""

import base64

from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World


def values(secret: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def test_a_safe_cache_gets_its_secret(world: World, team: Team) -> None:
    world.cache(team, "orders")
    version = world.store_key(team, "orders")
    mark = world.control.log.position()
    resource = world.apply(world.resource(team, "orders", key="orders"))
    world.await_condition(resource, "Ready", "True")
    secret = world.secret(team.namespace, "orders")
    assert secret is not None
    held = values(secret)
    assert held["password"] == world.control.redis.keys("orders")["Primary"]
    assert held["host"] == world.control.endpoints.redis_host("orders")
    assert held["uri"].startswith("rediss://")
    status = (world.get(resource) or {})["status"]
    assert status["credential"]["keyVaultVersion"] == version
    assert status["binding"]["name"] == "orders"
    assert world.control.log.writes(mark) == []


def test_an_unsafe_cache_is_reported_and_not_changed(world: World, team: Team) -> None:
    world.cache(team, "legacy", properties={"enableNonSslPort": True, "publicNetworkAccess": "Enabled"})
    mark = world.control.log.position()
    resource = world.apply(world.resource(team, "legacy"))
    world.await_condition(resource, "Ready", "True", "Assessed")
    world.await_condition(resource, "TransportSecured", "False", "NonTLSPortOpen")
    world.await_condition(resource, "DriftDetected", "True")
    status = (world.get(resource) or {})["status"]
    assert {entry["path"] for entry in status["drift"]} == {"transport.nonTLSPort", "network.publicAccess"}
    assert world.secret(team.namespace, "legacy") is None
    assert world.control.log.writes(mark) == []


def test_a_new_secret_is_withheld_until_the_cache_is_compliant(world: World, team: Team) -> None:
    world.cache(team, "orders", properties={"enableNonSslPort": True})
    world.store_key(team, "orders")
    resource = world.apply(world.resource(team, "orders", key="orders", connection={"publish": "WhenCompliant"}))
    message = world.await_condition(resource, "Ready", "False", "NotCompliant")
    assert "T1 (Critical, Fail)" in message
    assert world.secret(team.namespace, "orders") is None
    world.control.redis.update("orders", {"enableNonSslPort": False})
    world.api.merge(resource, {"metadata": {"annotations": {"secureredis.io/refresh": "safe"}}}).must()
    world.await_condition(resource, "Ready", "True")
    # The published Secret stays and gets a new key, whatever the cache becomes.
    world.control.redis.update("orders", {"enableNonSslPort": True})
    version = world.store_key(team, "orders", slot="Secondary")
    world.api.merge(resource, {"metadata": {"annotations": {"secureredis.io/refresh": "unsafe"}}}).must()
    world.await_condition(resource, "TransportSecured", "False", "NonTLSPortOpen")
    wait_for(
        lambda: ((world.get(resource) or {})["status"]["credential"]["keyVaultVersion"]) == version,
        PATIENCE,
        "the new version to be published",
    )
    world.await_condition(resource, "Ready", "True")


def test_a_new_version_in_the_vault_reaches_the_secret(world: World, team: Team) -> None:
    world.cache(team, "orders")
    world.store_key(team, "orders")
    resource = world.apply(world.resource(team, "orders", key="orders"))
    world.await_condition(resource, "Ready", "True")
    version = world.store_key(team, "orders", slot="Secondary")
    world.api.merge(resource, {"metadata": {"annotations": {"secureredis.io/refresh": "now"}}}).must()
    wait_for(
        lambda: ((world.get(resource) or {})["status"]["credential"]["keyVaultVersion"]) == version,
        PATIENCE,
        "the new version to be published",
    )
    secret = world.secret(team.namespace, "orders")
    assert secret is not None
    assert values(secret)["password"] == world.control.redis.keys("orders")["Secondary"]
