"""A request on persistence that Azure refuses for good is sent once, and again after an hour or when a user asks."""

import base64
import json
import uuid
from collections.abc import Iterator

import pytest

from sandbox.azure.seeds.storage import blob_data_contributor
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.persistence_support import (
    CHAIN,
    PREMIUM,
    Persisting,
    by_secret,
    making,
    premium,
    secret,
)

REFUSAL = {"error": {"code": "InvalidRequestBody", "message": "The value of the parameter 'x' is invalid."}}


@pytest.fixture
def maker(world: World) -> Iterator[Persisting]:
    """A team that may make caches, read the account, and see who has which role."""
    with making(world) as made:
        yield made


def _refuse(case: Persisting, skip: int = 0) -> None:
    """Azure refuses each change of the cache but the first `skip`."""
    path = f"/redis/{case.cache}$"
    case.fault(service="arm", method="PATCH", path=path, kind="status", status=400, body=REFUSAL, skip=skip)


def _patches(case: Persisting) -> int:
    requests = case.control.log.requests(case.mark, path=f"/redis/{case.cache}")
    return len([one for one in requests if one.method == "PATCH" and one.status == 400])


def _passes(case: Persisting) -> int:
    lines = case.world.operator_log.read_text(errors="replace").splitlines()
    name = f"{case.team.namespace}/{case.cache}"
    entries = [json.loads(line) for line in lines if '"pass ended"' in line]
    return sum(one.get("resource") == name for one in entries)


def _looked_again(case: Persisting) -> None:
    """Passes that no one asked for. Where one wants to write, the next one reads fresh values and writes."""
    for _ in range(3):
        _looked_once(case, _passes(case))


def _looked_once(case: Persisting, before: int) -> None:
    case.annotate(approve_rotation=uuid.uuid4().hex)  # wakes it, and means nothing here
    wait_for(lambda: _passes(case) > before, PATIENCE, "a pass that nobody asked for")


def _is_left_alone(case: Persisting) -> None:
    """Nothing is sent at later checks, nor after a restart; a refresh asks again."""
    _looked_again(case)
    assert _patches(case) == 1
    assert case.condition("Ready")[:2] == ("False", "RequestRefused")
    assert case.condition(CHAIN)[:2] == ("False", "RequestRefused")
    case.world.stop_operator()
    case.world.start_operator()
    _looked_again(case)
    assert _patches(case) == 1
    case.poke()
    wait_for(lambda: _patches(case) == 2, PATIENCE, "the refusal of what was asked for")
    case.mend_faults()
    case.heal(CHAIN)
    case.until("DriftDetected", "False", "NoDrift")
    case.until("Ready", "True")


def test_the_rest_of_a_creation_is_not_requested_at_every_pass(maker: Persisting) -> None:
    """A refused setting stays required: it is set once Azure accepts it, without permission to correct."""
    key = base64.b64encode(uuid.uuid4().bytes * 4).decode()
    maker.control.storage.update(maker.account, {"allowSharedKeyAccess": True})
    secret(maker, maker.connection_string(key))
    _refuse(maker, skip=1)  # the door is opened first
    maker.apply(**premium(maker, identity=None, persistence=by_secret(maker)))
    maker.until(CHAIN, "False", "RequestRefused")
    assert maker.status["pending"]["action"] == "PersistCache"
    assert {one["path"]: (one["count"], one["reason"]) for one in maker.status["corrections"]} == {
        "persistence.type": (0, "RequestRefused")
    }
    _is_left_alone(maker)
    # The last write, of a tag, may still run in Azure.
    wait_for(lambda: "pending" not in maker.status, PATIENCE, "the end of the creation")
    assert not maker.status.get("corrections")


def test_a_correction_is_not_requested_at_every_pass(maker: Persisting) -> None:
    maker.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    maker.apply(
        **premium(
            maker,
            persistence={"type": "RDB", "storage": maker.storage()},
            drift={"correct": ["Availability"]},
            network={"publicAccess": "Enabled"},
        ),
        annotations={"secureredis.io/adopt": maker.cache},
    )
    maker.until(CHAIN, "False", "StorageRoleMissing")
    cache = maker.control.redis.get(maker.cache)
    assert cache is not None
    maker.control.seed(blob_data_contributor(cache["identity"]["principalId"], maker.account_id))
    maker.mark = maker.control.log.position()
    _refuse(maker)
    _looked_again(maker)
    maker.until(CHAIN, "False", "RequestRefused")
    _is_left_alone(maker)
