"""The common facts of the caches of both services, where each service reports them in another way."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.managed_redis import database, managed
from tests.builders.world import cache

DENIED = Unknown(Reason.AZURE_DENIED, "no right")


@pytest.mark.parametrize(
    ("word", "expected"), [("Encrypted", False), ("encrypted", False), ("Plaintext", True), ("New", True), (None, None)]
)
def test_whether_a_database_speaks_without_tls(word: str | None, expected: bool | None) -> None:
    assert managed(database=database(client_protocol=word)).plaintext_open is expected


@pytest.mark.parametrize(("word", "expected"), [("Disabled", False), ("Enabled", True), ("New", True), (None, None)])
def test_whether_a_database_accepts_access_keys(word: str | None, expected: bool | None) -> None:
    assert managed(database=database(access_keys=word)).access_keys_enabled is expected


@pytest.mark.parametrize("gone", [None, NOT_READ, DENIED], ids=["none", "not read", "denied"])
def test_nothing_is_known_without_the_database(gone: Any) -> None:
    cluster = managed(database=gone)
    assert (cluster.tls_port, cluster.plaintext_port, cluster.plaintext_open) == (None, None, None)
    assert cluster.access_keys_enabled is None
    assert cluster.states == ("Succeeded",)
    assert cluster.geo_linked == ()
    assert cluster.port_unknown is not None
    assert cluster.persists is (False if gone is None else None)


def test_the_parts_of_a_cluster() -> None:
    cluster = managed(
        cluster_redis_version="7.2",
        database=database(port=10000, provisioning_state="Updating", geo_linked=("/other",), redis_version="7.4"),
    )
    assert cluster.port_unknown is None
    assert (cluster.tls_port, cluster.plaintext_port) == (10000, 10000)
    assert cluster.states == ("Succeeded", "Updating")
    assert cluster.geo_linked == ("/other",)
    assert cluster.redis_version == "7.4"
    assert managed(cluster_redis_version="7.2").redis_version == "7.2"


def test_size_and_tier_as_text() -> None:
    assert cache(sku_name="Premium", sku_family="P", sku_capacity=2).sku == "Premium P2"
    assert managed(sku_name="Balanced_B5").sku == "Balanced_B5"


@pytest.mark.parametrize("one", [cache(), managed()], ids=["redis", "managed_redis"])
def test_what_nothing_can_reach(one: Cache) -> None:
    closed = replace(one, public_network_access=" disabled", private_endpoints=())
    assert closed.unreachable
    assert not one.unreachable  # it has an approved private endpoint
    assert not replace(closed, public_network_access="Enabled").unreachable
    assert not replace(closed, public_network_access=None).unreachable
    assert not replace(closed, subnet_id="/subnet").unreachable
