import pytest

from secure_redis.api.names import OWNER_TAG
from secure_redis.domain.assess.ownership import Ownership, owner_value, ownership
from tests.builders.world import cache


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, Ownership.UNCLAIMED),
        ({"team": "orders"}, Ownership.UNCLAIMED),
        ({OWNER_TAG: "cluster.uid"}, Ownership.OWNED),
        ({OWNER_TAG.upper(): "cluster.uid"}, Ownership.OWNED),
        ({OWNER_TAG: "cluster.uid2"}, Ownership.FOREIGN),
        ({OWNER_TAG: "cluster2.uid"}, Ownership.FOREIGN),
        ({OWNER_TAG: "CLUSTER.UID"}, Ownership.FOREIGN),
        ({OWNER_TAG: ""}, Ownership.FOREIGN),
    ],
)
def test_a_cache_is_owned_by_exactly_the_resource_that_tagged_it(tags: dict[str, str], expected: Ownership) -> None:
    assert ownership(cache(tags=tags), "cluster", "uid") is expected


def test_a_recreated_resource_or_another_cluster_is_another_owner() -> None:
    values = {owner_value(cluster, uid) for cluster in ("a", "b") for uid in ("1", "2")}
    assert len(values) == 4
