"""A permission that is missing on a cache that was never observed is asked for on its resource group."""

import shlex
from typing import Any

import pytest

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.azure.core import roles
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.report.report import Report
from tests.builders.passes import observation, reported, resource

ID = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/{}/providers/Microsoft.Cache/redis/Orders"
REFUSAL = "The client 'x' with object id '11111111-1111-1111-1111-111111111111' does not have authorization"


def refused(group: str, status: dict[str, Any] | None = None) -> tuple[Report, str]:
    cache = ID.format(group)
    such = roles.such_as("Microsoft.Cache/redis/read", cache, REFUSAL)
    denied = Unknown(Reason.AZURE_DENIED, f"the identity lacks the permission{such}")
    res = resource({"resourceID": cache}, status=status)
    return reported(res, observation(cache=denied, vault=NOT_READ)), cache.lower()


def message(found: Report) -> str:
    ready = found.status.condition(ConditionType.READY)
    assert ready is not None
    return ready.message


@pytest.mark.parametrize("group", ["Shop", "shop(west)"])
def test_the_command_names_the_group(group: str) -> None:
    found, cache = refused(group)
    scope = f"/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/{group.lower()}"
    assert f"--scope {shlex.quote(scope)};" in message(found)
    assert cache not in message(found)
    assert f"the resource group {group!r} in spec.resourceID right?" in message(found)


def test_the_command_names_a_cache_that_was_observed() -> None:
    before = {"cache": {"provisioningState": "Succeeded"}}
    found, cache = refused("Shop", before)
    assert f"--scope {cache}" in message(found)
    assert "resource group" not in message(found)
