"""An API server that went back in time is noticed, and nothing else is taken for it."""

import asyncio

import pytest

from secure_redis.kube.history import History, HistoryRewritten, older, version_of

PLACE = "/api/v1/secrets"


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [("9", "10", True), ("10", "9", False), ("9", "9", False), ("", "9", False), ("9", "", False), ("a", "b", False)],
)
def test_only_numbers_have_an_order(version: str, than: str, expected: bool) -> None:
    assert older(version, than) is expected


def test_a_list_that_is_older_than_what_was_known_when_it_began() -> None:
    history = History()
    history.observed(PLACE, "100")
    with pytest.raises(HistoryRewritten):
        history.listed(PLACE, history.newest(PLACE), "99")
    with pytest.raises(HistoryRewritten):  # the fence is closed from now on
        history.check()


def test_a_list_that_began_before_a_newer_event_is_no_proof() -> None:
    history = History()
    history.observed(PLACE, "90")
    began = history.newest(PLACE)
    history.observed(PLACE, "100")
    history.listed(PLACE, began, "95")
    history.check()
    assert history.newest(PLACE) == "100"


def test_collections_may_have_other_stores() -> None:
    history = History()
    history.observed("/api/v1/events", "1000")
    history.listed(PLACE, history.newest(PLACE), "5")
    history.check()


def test_an_object_that_is_older_in_a_newer_list() -> None:
    """A restore that raises etcd's revision: the list is new, its objects are from the backup."""
    history = History()
    known = {"shop/orders": "100", "shop/gone": "100"}
    history.compare(PLACE, known, [("shop/orders", "100"), ("shop/new", "7")])
    with pytest.raises(HistoryRewritten):
        history.compare(PLACE, known, [("shop/orders", "50")])


async def test_it_can_be_awaited() -> None:
    history = History()
    waiting = asyncio.create_task(history.rewritten())
    await asyncio.sleep(0)
    assert not waiting.done()
    with pytest.raises(HistoryRewritten):
        history.rewrite(PLACE)
    await asyncio.wait_for(waiting, 1)


def test_an_objects_version() -> None:
    meta = {"namespace": "shop", "name": "orders", "resourceVersion": "7"}
    assert version_of({"metadata": meta}) == ("shop/orders", "7")
